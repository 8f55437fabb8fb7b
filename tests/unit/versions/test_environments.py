"""Environments of versions: what they are installed from; shared, kept or made again."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.repositories import write
from twinbench.text import UserError
from twinbench.versions.environments import (
    MARKER,
    PACKAGES,
    Environment,
    Installer,
    Place,
    recipe_of,
    remove_unused,
)

VIRTUAL = '[[package]]\nname = "shop"\nversion = "1"\nsource = { virtual = "." }\n'
PACKAGE = VIRTUAL.replace("virtual", "editable")
# Records how it is called, and makes an environment that has an interpreter.
FAKE_UV = f"""#!/bin/sh
echo "$* in $(basename "$PWD")" >> "$UV_RECORD"
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
ln -s {sys.executable} "$UV_PROJECT_ENVIRONMENT/bin/python"
test "$UV_PYTHON_DOWNLOADS" = never || exit 9
echo "error: no such package" >&2
exit "$UV_CODE"
"""
# Makes such an environment as well, and records where temporary files go meanwhile.
FAKE_PYTHON = f"""#!/bin/sh
test "$2" = venv || exec {sys.executable} "$@"
echo "$TMPDIR" > "$0.record"
mkdir -p "$3/bin"
ln -s {sys.executable} "$3/bin/python"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the cache, which is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "twinbench"


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a fake uv on the PATH, and return the file in which it records its calls."""
    write(tmp_path / "bin" / "uv", FAKE_UV)
    (tmp_path / "bin" / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("UV_RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("UV_CODE", "0")
    return tmp_path / "record"


def place(tmp_path: Path, name: str, **files: str) -> Place:
    """Return a version with `files`, whose target runs in its folder `api`."""
    root = tmp_path / name
    (root / "api").mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        write(root / file.replace("__", "."), text)
    return Place(f"{name} (abc1234)", root, root / "api")


def installer(tmp_path: Path, install: list[str] | None = None) -> Installer:
    (tmp_path / "scratch").mkdir(exist_ok=True)
    return Installer(tmp_path / "scratch", None, install, lambda _: None)


def installer_with(tmp_path: Path, venv: str) -> Installer:
    """Return an installer whose `python -m venv` is the script `venv`."""
    python = tmp_path / "python"
    write(python, f'#!/bin/sh\nif [ "$2" = venv ]; then {venv}; fi\n')
    python.chmod(0o755)
    (tmp_path / "scratch").mkdir(exist_ok=True)
    return Installer(tmp_path / "scratch", python, ["true"], lambda _: None)


def test_a_lock_of_uv_is_installed_once(tmp_path: Path, record: Path, cache: Path) -> None:
    files = {"uv__lock": VIRTUAL, "pyproject__toml": "[project]\n"}
    base, head = place(tmp_path, "base", **files), place(tmp_path, "head", **files)
    found = installer(tmp_path).environment(base)
    assert installer(tmp_path).environment(head) == found
    assert found.source == "uv.lock"
    assert found.python
    assert found.python.is_relative_to(cache / "environments")
    assert found.python.exists()
    assert record.read_text() == "sync --frozen --no-install-project in api\n"
    other = place(tmp_path, "other", **files | {"uv__lock": VIRTUAL.replace("1", "2")})
    assert installer(tmp_path).environment(other) != found
    assert len(record.read_text().splitlines()) == 2


def test_a_lock_with_folders_is_for_one_version(tmp_path: Path, record: Path) -> None:
    names = ("base", "head")
    places = [place(tmp_path, name, uv__lock=PACKAGE, pyproject__toml="") for name in names]
    base, head = map(installer(tmp_path).environment, places)
    assert base != head
    for found in (base, head):
        assert found.python
        assert found.python.is_relative_to(tmp_path / "scratch")
        assert not found.has_packages
    assert record.read_text().splitlines() == ["sync --frozen --no-editable in api"] * 2


def test_an_environment_that_was_cut_short_is_made_again(tmp_path: Path, record: Path) -> None:
    base = place(tmp_path, "base", uv__lock=VIRTUAL)
    python = installer(tmp_path).environment(base).python
    assert python
    folder = python.parent.parent
    (folder / MARKER).unlink()
    write(folder / "half", "")
    installer(tmp_path).environment(base)
    assert (folder / MARKER).exists()
    assert not (folder / "half").exists()
    assert len(record.read_text().splitlines()) == 2


def test_a_failing_installation_is_explained_and_removed(
    tmp_path: Path, record: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CODE", "3")
    with pytest.raises(UserError) as failed:
        installer(tmp_path).environment(place(tmp_path, "base", uv__lock=VIRTUAL))
    log = cache / "install.log"
    assert str(failed.value).startswith(
        "base (abc1234): 'uv sync --frozen --no-install-project' exited with code 3: error: no such"
        " package; see "
    )
    assert "no such package" in log.read_text()
    assert list((cache / "environments").iterdir()) == []


def test_temporary_files_of_venv_are_in_the_scratch_folder(tmp_path: Path) -> None:
    python, scratch = tmp_path / "python", tmp_path / "scratch"
    write(python, FAKE_PYTHON)
    python.chmod(0o755)
    scratch.mkdir()
    Installer(scratch, python, ["true"], lambda _: None).environment(place(tmp_path, "base"))
    recorded = (tmp_path / "python.record").read_text().strip()
    assert Path(recorded).is_relative_to(scratch)


def test_a_cache_that_cannot_be_written_is_explained(tmp_path: Path, record: Path) -> None:
    write(tmp_path / "cache", "a file")
    with pytest.raises(UserError, match="set XDG_CACHE_HOME to a folder"):
        installer(tmp_path).environment(place(tmp_path, "base", uv__lock=VIRTUAL))
    made = installer_with(tmp_path, "echo oh no; exit 3")
    with pytest.raises(UserError, match=r"exited with code 3: oh no$"):
        made.environment(place(tmp_path, "head"))


def test_a_missing_uv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"base .*there is no uv on the PATH: install uv, or set"):
        installer(tmp_path).environment(place(tmp_path, "base", uv__lock=VIRTUAL))


@pytest.mark.parametrize("install", [None, []])
def test_without_a_lock_the_environment_is_that_of_the_plan(
    tmp_path: Path, install: list[str] | None
) -> None:
    files = {} if install is None else {"uv__lock": VIRTUAL}
    made = Installer(tmp_path, Path(sys.executable), install, lambda _: None)
    assert made.environment(place(tmp_path, "base", **files)) == Environment(Path(sys.executable))


def test_the_nearest_requirements_are_taken(tmp_path: Path) -> None:
    base = place(tmp_path, "base", requirements__txt="fastapi\n")
    found = recipe_of(base, None)
    assert found
    assert (found.source, found.cwd) == ("requirements.txt", base.root)
    write(base.cwd / "requirements.lock", "fastapi==1\n")
    found = recipe_of(base, None)
    assert found
    assert (found.source, found.cwd) == ("requirements.lock", base.cwd)
    write(base.root / "uv.lock", VIRTUAL)
    found = recipe_of(base, None)
    assert found
    assert found.source == "uv.lock"


def test_requirements_are_kept_only_with_hashes(tmp_path: Path) -> None:
    pinned = "-r more.txt\nfastapi==1\n"
    base = place(tmp_path, "base", requirements__txt=pinned, more__txt="-c requirements.txt\nx==1")
    before = recipe_of(base, None)
    assert before
    assert not before.is_locked
    assert {file.name for file in before.files} == {"requirements.txt", "more.txt"}
    key = before.key(base, Path(sys.executable))
    write(base.root / "more.txt", "x==1 --hash=sha256:00\n")
    after = recipe_of(base, None)
    assert after
    assert after.is_locked
    assert after.key(base, Path(sys.executable)) != key


def test_environments_unused_for_a_month_are_removed(tmp_path: Path) -> None:
    for name, marker, days in (("old", MARKER, 31), ("new", MARKER, 29), ("cut", "x", 31)):
        write(tmp_path / name / marker, "")
        then = time.time() - days * 86_400
        os.utime(tmp_path / name / marker, (then, then))
        os.utime(tmp_path / name, (then, then))
    remove_unused(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir() if folder.is_dir()] == ["new"]


@pytest.mark.slow
def test_pip_installs_requirements_and_the_app(tmp_path: Path) -> None:
    files = {
        "requirements__txt": "--no-index\n",
        "pyproject__toml": '[project]\nname = "shop"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend__py": BACKEND,
    }
    base = place(tmp_path, "base", **files)
    head = place(tmp_path, "head", **files | {"backend__py": BACKEND.replace("of base", "of head")})
    made = installer(tmp_path)
    found = [made.environment(base), made.environment(head)]
    assert found[0].python == found[1].python  # one installation, as the requirements are equal
    for environment, of in zip(found, (base, head), strict=True):
        assert environment.has_packages
        assert environment.source == "requirements.txt"
        module = (of.cwd / PACKAGES / "shop.py").read_text()
        assert module == f"WHICH = 'of {of.root.name}'"
    assert not list((tmp_path / "cache").glob("*/environments/*"))


@pytest.mark.slow
def test_pip_says_what_it_cannot_install(tmp_path: Path, cache: Path) -> None:
    base = place(tmp_path, "base", requirements__txt="--no-index\nnot-there==1\n")
    with pytest.raises(UserError, match=r"base .*'pip install .*not-there==1"):
        installer(tmp_path).environment(base)
    assert not list((tmp_path / "scratch" / "environments").iterdir())
    assert "not-there" in (cache / "install.log").read_text()


@pytest.mark.slow
def test_an_own_command_runs_in_an_activated_environment(tmp_path: Path) -> None:
    base = place(tmp_path, "base")
    script = 'python -c "import sys; print(sys.prefix)" > prefix; echo "$VIRTUAL_ENV" >> prefix'
    found = installer(tmp_path, ["sh", "-c", script]).environment(base)
    assert found.python
    assert found.source == "[compare] install"
    folder = found.python.parent.parent
    assert (base.cwd / "prefix").read_text().splitlines() == [str(folder)] * 2
    assert folder.is_relative_to(tmp_path / "scratch")
    making = ["sh", "-c", f"mkdir -p .venv/bin && ln -s {sys.executable} .venv/bin/python"]
    found = installer(tmp_path, making).environment(base)
    assert found.python == base.cwd / ".venv" / "bin" / "python"


UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.slow
@pytest.mark.skipif(not UV, reason="uv is not installed")
def test_uv_makes_an_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert UV
    monkeypatch.setenv("PATH", f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}")
    project = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
    base = place(tmp_path, "base", pyproject__toml=project)
    subprocess.run([UV, "lock", "--offline", "--quiet"], cwd=base.root, check=True)
    found = installer(tmp_path).environment(base)
    assert found.source == "uv.lock"
    command = [str(found.python), "-c", "import sys; print(sys.prefix, sys.base_prefix)"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found.python
    assert printed == [str(found.python.parent.parent), sys.base_prefix]


# A build that needs no other package: a wheel with one module.
BACKEND = """
import zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "shop-1-py3-none-any.whl"
    files = {
        "shop.py": "WHICH = 'of base'",
        "shop-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: shop\\nVersion: 1\\n",
        "shop-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\n"
        "Tag: py3-none-any\\n",
        "shop-1.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""
