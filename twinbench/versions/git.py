"""Versions of an app from git: commits and the working tree, each in a folder of its own.

Nothing is written into the user's repository, and none of its hooks is run: each folder is a
repository that borrows the objects of the user's (docs/decisions/0026-versions-from-git.md).
"""

import contextlib
import difflib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from twinbench.interruption import interruptible
from twinbench.measure.processes import Child
from twinbench.paths import COMPARED, INDEX, LATEST, RUNS
from twinbench.text import UserError, did_you_mean, printable
from twinbench.versions.result import Version

WORKING_TREE = "working tree"
RANGE = "BASE..HEAD, such as main..HEAD; for what is not committed: --base main"
# A hook of git sets GIT_DIR, GIT_INDEX_FILE and others, which are of its own repository. Those with
# configuration are the user's: they may declare a folder safe, as in a container.
OF_GIT, OF_CONFIGURATION = "GIT_", "GIT_CONFIG_"
# `git status` must not write its index; nobody is asked for a password; its errors are in English.
SETTINGS = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "GIT_LITERAL_PATHSPECS": "1",  # a file may be named :(x)
}
# What the user's configuration must not do here: run hooks or a daemon, or leave files out.
OVERRIDES = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.untrackedCache=false"),
    *("core.splitIndex=false", "core.sparseCheckout=false", "submodule.recurse=false"),
    "advice.detachedHead=false",
)
UNTRACKED = "??"  # of `git status`
# Untracked, these are of no version: earlier runs, and an environment that git does not ignore.
OUTPUT = tuple(path.as_posix() for path in (RUNS, LATEST, COMPARED, RUNS.with_name(INDEX)))
VIRTUAL_ENVIRONMENT = ".venv"
SUBMODULE = "160000"  # the mode of its entry in a tree
SHORT = 7  # characters of a commit, as git shows them
MAX_NAMES = 10  # branches and tags that an error lists
A_NAME = re.compile(r"(?!HEAD$)[\w.][\w./-]*")  # of a branch, a tag or a commit, without ~ and @{}
FATAL = re.compile(r"^(?:fatal|error): ")


class GitError(UserError):
    """Versions that cannot be had from git."""


@dataclass(frozen=True, slots=True)
class Refs:
    """Versions as they are asked for; `head` is None for the working tree.

    `from_merge_base`: the base is where `head` left `base`, as `git diff base...head` has it.
    """

    base: str
    head: str | None = None
    from_merge_base: bool = False

    @classmethod
    def of_range(cls, text: str) -> Self:
        """Return the versions of BASE..HEAD or BASE...HEAD. Raises GitError."""
        dots = "..." if "..." in text else ".."
        base, _, head = text.partition(dots)
        if not base or not head or ".." in head:
            raise GitError(f"'{text}' is no range of versions: write it as {RANGE}")
        return cls(base, head, from_merge_base=dots == "...")


def label(name: str, version: Version) -> str:
    """Return the name of a version for messages: `base (1a2b3c4)`."""
    return f"{name} ({WORKING_TREE if is_working_tree(version) else version.commit[:SHORT]})"


def is_working_tree(version: Version) -> bool:
    """Return whether a version is what is in the user's folder, committed or not."""
    return version.ref == WORKING_TREE


@dataclass(frozen=True, slots=True)
class Repository:
    """The user's repository, which is only read; `root`: the folder of its working tree."""

    root: Path

    @classmethod
    def of(cls, plan_file: Path) -> Self:
        """Return the repository that holds `plan_file`. Raises GitError."""
        folder = plan_file.absolute().parent
        try:
            return cls(Path(_git(folder, "rev-parse", "--show-toplevel").removesuffix("\n")))
        except GitError as error:
            if "not a git repository" not in str(error):
                raise
        raise GitError(
            f"{plan_file} is in no git repository, so there are no versions to compare: name a plan"
            " that is in one, or compare two folders with 'twinbench init'"
        )

    def versions(self, refs: Refs) -> tuple[Version, Version]:
        """Return base and head. Raises GitError if one does not exist."""
        head = self._commit(refs.head or "HEAD")
        base = self._commit(refs.base)
        base_ref = refs.base
        if refs.from_merge_base:
            base_ref = f"{refs.base}...{refs.head}"
            base = self._merge_base(base, head, base_ref)
        changed = 0 if refs.head else len(self.changed_files())
        return (
            Version(ref=base_ref, commit=base, subject=self._subject(base)),
            Version(
                ref=refs.head or WORKING_TREE,
                commit=head,
                subject=self._subject(head),
                changed=changed,
            ),
        )

    def name_of(self, path: Path) -> str:
        """Return the name that git has for a file below the root."""
        return path.relative_to(self.root).as_posix()

    def has(self, version: Version, path: Path) -> bool:
        """Return whether `version` has the file `path`, which is below the root."""
        name = self.name_of(path)
        if is_working_tree(version):
            listed = self._git("ls-files", "--cached", "--others", "--exclude-standard", "--", name)
            return bool(listed) and path.is_file()
        return bool(self._git("ls-tree", version.commit, "--", name))

    def submodules(self, version: Version) -> list[str]:
        """Return the paths of the submodules of `version`, whose folders stay empty."""
        entries = self._git("ls-tree", "-r", "-z", version.commit).split("\0")
        return [entry.partition("\t")[2] for entry in entries if entry.startswith(SUBMODULE)]

    def changed_files(self) -> list[str]:
        """Return the files of the working tree that are not as committed, untracked ones too.

        Neither what git ignores, nor submodules and repositories inside the folder.
        """
        shown = self._git(
            *("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"),
            "--ignore-submodules=all",
        )
        entries = [(entry[:2], entry[3:]) for entry in shown.split("\0") if entry]
        names = [name for code, name in entries if code != UNTRACKED or not _is_left_out(name)]
        return [*dict.fromkeys(name for name in names if not name.endswith("/"))]

    def check_out(self, version: Version, folder: Path) -> None:
        """Make `folder` with the files of `version`. Raises GitError."""
        object_format = self._git("rev-parse", "--show-object-format").strip()
        init = ("init", "--quiet", "--template=", f"--object-format={object_format}")
        _git(self.root, *init, str(folder))
        own = folder / ".git"
        objects = self._path("objects")
        alternates = own / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_bytes(os.fsencode(objects) + b"\n")
        if (shallow := self._path("shallow")).exists():
            shutil.copyfile(shallow, own / "shallow")
        _check_out(folder, version.commit, self._path("config"))
        if is_working_tree(version):
            self._copy_changes(folder)

    def _copy_changes(self, folder: Path) -> None:
        """Bring `folder`, which has the files of the commit, to what the working tree has."""
        changed = self.changed_files()
        try:
            for name in changed:
                _remove(folder / name, folder)
            for name in changed:
                if self._is_there(name):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(self.root / name, folder / name, follow_symlinks=False)
        except OSError as error:
            where = error.filename or self.root
            raise GitError(f"{where}: cannot be copied ({error.strerror or error})") from None

    def _is_there(self, name: str) -> bool:
        """Return whether the working tree itself has a file or link, not a folder it links to."""
        path = self.root / name
        parents = path.parents[: len(Path(name).parents) - 1]
        is_file = path.is_symlink() or path.is_file()
        return is_file and not any(parent.is_symlink() for parent in parents)

    def _commit(self, ref: str) -> str:
        """Return the full name of a commit. Raises GitError."""
        # git would take it for an option.
        if ref.startswith("-"):
            raise GitError(f"'{ref}' is no name of a commit: it begins with a dash")
        try:
            return self._git("rev-parse", "--verify", f"{ref}^{{commit}}").strip()
        except GitError as error:
            if "is ambiguous" in str(error):
                raise GitError(f"'{ref}' is the beginning of several commits: write more") from None
        if not self._exists("HEAD"):
            raise GitError(f"{self.root}: there is no commit yet, so there is nothing to compare")
        if self._is_shallow():
            raise GitError(f"there is no commit '{ref}'; this clone is shallow: {_fetch(ref)}")
        raise GitError(f"there is no commit '{ref}'{did_you_mean(ref, self._near(ref))}")

    def _merge_base(self, base: str, head: str, text: str) -> str:
        try:
            return self._git("merge-base", base, head).strip()
        except GitError:
            shallow = f"; this clone is shallow: {_fetch('HEAD')}" if self._is_shallow() else ""
            raise GitError(f"'{text}': the two have no common commit{shallow}") from None

    def _near(self, ref: str) -> list[str]:
        """Return names of branches and tags that may be meant by `ref`; else the first ones."""
        every = ("refs/heads", "refs/tags", "refs/remotes")
        names = self._git("for-each-ref", "--format=%(refname:short)", *every).splitlines()
        of_remotes = [name for name in names if name.endswith(f"/{ref}")]
        near = of_remotes[:1] or difflib.get_close_matches(ref, names, n=1)
        return near or names[:MAX_NAMES]

    def _subject(self, commit: str) -> str:
        shown = self._git("log", "-1", "--no-show-signature", "--format=%s", commit)
        return printable(shown).strip()

    def _is_shallow(self) -> bool:
        return self._git("rev-parse", "--is-shallow-repository").strip() == "true"

    def _exists(self, ref: str) -> bool:
        with contextlib.suppress(GitError):
            return bool(self._git("rev-parse", "--verify", ref))
        return False

    def _path(self, name: str) -> Path:
        """Return where the repository has a file of its own, which linked worktrees share."""
        return self.root / self._git("rev-parse", "--git-path", name).removesuffix("\n")

    def _git(self, *arguments: str) -> str:
        return _git(self.root, *arguments)


def _fetch(ref: str) -> str:
    """Return what brings `ref` into a shallow clone."""
    by_hand = "'git fetch --unshallow'"
    if A_NAME.fullmatch(ref):
        by_hand = f"'git fetch --depth=1 origin {ref.removeprefix('origin/')}' and name FETCH_HEAD"
    return f"{by_hand}; in actions/checkout: fetch-depth: 0"


def _is_left_out(name: str) -> bool:
    is_output = any(f"/{output}/" in f"/{name}/" for output in OUTPUT)
    return is_output or VIRTUAL_ENVIRONMENT in name.split("/")


def _remove(path: Path, root: Path) -> None:
    """Remove a file, and the folders below `root` that are empty then."""
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == root or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()


def _is_of_a_repository(variable: str) -> bool:
    return variable.startswith(OF_GIT) and not variable.startswith(OF_CONFIGURATION)


def _command(*arguments: str, settings: Iterable[str] = ()) -> list[str]:
    """Return a command line of git. Raises GitError if there is none."""
    if not (git := shutil.which("git")):
        raise GitError("there is no git on the PATH, from which versions are taken: install it")
    # Of equal settings the last one counts.
    options = [part for setting in (*settings, *OVERRIDES) for part in ("-c", setting)]
    return [git, *options, *arguments]


def _git(folder: Path, *arguments: str) -> str:
    """Return what a command of git prints. Raises GitError with git's own sentence."""
    own = {name: value for name, value in os.environ.items() if not _is_of_a_repository(name)}
    process = subprocess.Popen(
        _command(*arguments),
        cwd=folder,
        env=own | SETTINGS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for twinbench, which ends it
    )
    with _ended_with(process), interruptible():
        output, errors = process.communicate()
    if process.returncode:
        raise GitError(_sentence(arguments, os.fsdecode(errors)))
    return os.fsdecode(output)


def _check_out(folder: Path, commit: str, config: Path) -> None:
    """Write the files of a commit, with line ends and filters of `config`. Raises GitError.

    Under a supervisor: of a large repository it takes seconds, in which twinbench may be killed.
    """
    arguments = ("checkout", "--quiet", "--force", "--detach", commit)
    unset = [part for name in filter(_is_of_a_repository, os.environ) for part in ("-u", name)]
    command = ["env", *unset, *_command(*arguments, settings=[f"include.path={config}"])]
    log = folder / ".git" / "checkout.log"
    if Child(command, log=log, cwd=folder, env=SETTINGS).wait() != "exited with code 0":
        raise GitError(_sentence(arguments, log.read_text(encoding="utf-8", errors="replace")))


@contextlib.contextmanager
def _ended_with(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the process if the block is left by an interrupt."""
    try:
        yield
    except BaseException:
        process.kill()
        process.communicate()
        raise


def _sentence(arguments: tuple[str, ...], errors: str) -> str:
    """Return one line for what git printed: its first sentence, and the command that it advises."""
    lines = [line.strip() for line in printable(errors).splitlines() if line.strip()]
    first = next(filter(FATAL.match, lines), next(iter(lines), "no message"))
    advice = next((f": {line}" for line in lines if line.startswith("git config ")), "")
    return f"git {arguments[0]}: {FATAL.sub('', first)}{advice}"
