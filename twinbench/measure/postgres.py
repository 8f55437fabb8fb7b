"""PostgreSQL databases for targets: a fresh one for every server, made from a seeded template.

The cluster is a private one in a scratch folder, on a Unix socket, from the wheel of the extra
`postgres`; or the server of DATABASE_URL. The first server of a target starts on an empty
database, which it fills; that database is the template of all its later ones.
"""

import contextlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from twinbench.measure.cluster import (
    SHOWN,
    PostgresError,
    PrivateCluster,
    RunningCluster,
    connect,
    execute,
    value,
)
from twinbench.measure.processes import tree_cpu_s
from twinbench.plan import POSTGRES, Target
from twinbench.remarks import remarked
from twinbench.store import DatabaseUse

if TYPE_CHECKING:
    import psycopg

MAX_NAME = 63  # bytes of a PostgreSQL name
# Sessions of a database: all, those that execute a statement, and those of them that wait for a
# lock, the disk or another process. pg_sleep() and waits for the client are no such waits.
SESSIONS = """
    SELECT datname, count(*), count(*) FILTER (WHERE state = 'active'),
    count(*) FILTER (WHERE state = 'active'
        AND wait_event_type IN ('Lock', 'LWLock', 'BufferPin', 'IO', 'IPC'))
    FROM pg_stat_activity WHERE datname = ANY(%s) GROUP BY datname
"""
PERIOD_S = 0.2  # a query takes about a millisecond of CPU time with 500 sessions
NO_TELEMETRY = "telemetry of PostgreSQL is missing"


def uses_postgres(target: Target) -> bool:
    """Return whether a target has a placeholder for a database."""
    texts = (*target.env.values(), *(target.command or ()), *target.prepare)
    return any(POSTGRES.search(text) for text in texts)


def starts_postgres(targets: Sequence[Target]) -> bool:
    """Return whether a private cluster is started for `targets`."""
    return any(map(uses_postgres, targets)) and not os.environ.get("DATABASE_URL")


class Databases:
    """Fresh databases of targets: call `start` before one is made, `stop` at the end."""

    def __init__(self, targets: Sequence[Target], cores: Sequence[int]) -> None:
        self._is_used, self._cores = any(map(uses_postgres, targets)), cores
        self._cluster: PrivateCluster | RunningCluster | None = None
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
        self._cluster = RunningCluster(url) if url else PrivateCluster(self._cores)

    def stop(self) -> None:
        """Stop the cluster; of a server that runs already, drop what was made."""
        if not self._cluster:
            return
        with contextlib.suppress(PostgresError):  # it may be what has died
            if isinstance(self._cluster, RunningCluster):
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
        name = self._name(target)
        # Plans of queries do not change later, when autovacuum would have looked at the tables.
        execute(self._url(target), ["VACUUM ANALYZE"])
        self._started.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()",
            f'ALTER DATABASE "{name}" RENAME TO "{self._template(target)}"',
        )
        self._made.add(self._template(target))
        self._templates.add(target.name)

    def with_database(self, target: Target, *, empty: bool = False) -> Target:
        """Return `target` with the address of a fresh database in place of its earlier one.

        It is `empty`, or a copy of the template, for which the target was prepared.
        """
        if not uses_postgres(target):
            return target
        name, has_template = self._name(target), target.name in self._templates and not empty
        template = f' TEMPLATE "{self._template(target)}"' if has_template else ""
        self._started.execute(
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
        return connect(self._url(target))

    def is_address(self, address: str) -> bool:
        """Return whether it listens there: a path, or HOST:PORT as Python's sockets have it."""
        return bool(self._cluster and self._cluster.is_address(address))

    @property
    def remarks(self) -> list[str]:
        """What a reader should know of the cluster."""
        if isinstance(self._cluster, RunningCluster):
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
        with connect(self._cluster.maintenance_url) as connection:
            shown = [value(connection, f"SHOW {name}") for name in ("server_version", *SHOWN)]
        settings = (f"{name} {value}" for name, value in zip(SHOWN, shown[1:], strict=True))
        return {"postgresql": f"{shown[0]} ({', '.join(settings)})"}

    def _url(self, target: Target, driver: str = "") -> str:
        url = self._started.url(self._name(target))
        return url.replace("postgresql://", f"postgresql+{driver}://", 1) if driver else url

    def sampler(self, targets: Sequence[Target]) -> "DatabaseSampler":
        """Return a sampler of the databases of `targets`, which does nothing without any."""
        names = {each.name: self._name(each) for each in targets if uses_postgres(each)}
        return DatabaseSampler(names, self._cluster if names else None)

    def _name(self, target: Target) -> str:
        return f"{self._started.name}_{target.name}"[: MAX_NAME - len("_template")]

    def _template(self, target: Target) -> str:
        return f"{self._name(target)}_template"

    @property
    def _started(self) -> "PrivateCluster | RunningCluster":
        if not self._cluster:
            raise PostgresError("PostgreSQL was not started")
        return self._cluster


class DatabaseSampler:
    """Context around a load that samples PostgreSQL: sessions five times a second, CPU at turns.

    `names`: of databases, by target. `remarks`: what could not be sampled.
    """

    def __init__(
        self, names: Mapping[str, str], cluster: PrivateCluster | RunningCluster | None
    ) -> None:
        self._names, self._cluster = names, cluster
        self._sessions: list[_Sessions] = []
        self._cpu: list[tuple[int, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="twinbench-postgres", daemon=True)
        self.remarks: list[str] = []

    def __enter__(self) -> Self:
        if self._cluster:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()

    def sample_cpu(self) -> None:
        """Note the CPU time so far: call it before and after each turn."""
        pid = self._cluster and self._cluster.pid
        if pid and not self.remarks:
            with remarked(self.remarks, NO_TELEMETRY):
                self._cpu.append((time.perf_counter_ns(), tree_cpu_s(pid)))

    def use(self, target: str, windows_ns: Sequence[tuple[int, int]]) -> DatabaseUse | None:
        """Return what a target used in its windows, None if it has no database.

        CPU time is that of the whole cluster: the databases of other targets are idle.
        """
        if target not in self._names:
            return None
        own = [
            each
            for each in self._sessions
            if each.database == self._names[target]
            and any(begin <= each.t_ns <= end for begin, end in windows_ns)
        ]
        cpu_s = None
        if len(self._cpu) > 1 and windows_ns:
            samples, edges = np.array(self._cpu, dtype=float), np.array(windows_ns, dtype=float)
            cpu_s = float(np.diff(np.interp(edges, samples[:, 0], samples[:, 1]), axis=1).sum())
        return DatabaseUse(
            cpu_s=cpu_s,
            connections=max((each.connections for each in own), default=None),
            active=fmean(each.active for each in own) if own else None,
            waiting=fmean(each.waiting for each in own) if own else None,
        )

    def _run(self) -> None:
        if not self._cluster:
            return
        url, names = self._cluster.maintenance_url, [*self._names.values()]
        with remarked(self.remarks, NO_TELEMETRY), connect(url) as connection:
            while not self._over.wait(PERIOD_S):
                t_ns = time.perf_counter_ns()
                rows = connection.execute(SESSIONS, [names]).fetchall()
                self._sessions += (_Sessions(t_ns, *row) for row in rows)


class _Sessions(NamedTuple):
    t_ns: int
    database: str
    connections: int
    active: int
    waiting: int
