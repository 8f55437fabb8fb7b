"""Pitfalls 12 to 14, and what is different with PostgreSQL in the others."""

import asyncio
import contextlib
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests.pitfalls.blog import Post, User, reset_database
from tests.pitfalls.concurrency import LONG_S, REQUESTS, SHORT_S, THREADS, pool, statuses
from tests.pitfalls.page import quoted
from tests.pitfalls.test_deadlock import app
from tests.pitfalls.test_shared_session import both_at_once, rows
from tests.pitfalls.test_sqlite_writers import Api, write_then_ask
from twinbench.measure import cluster
from twinbench.measure.postgres import Databases
from twinbench.plan import Target

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

BLOG = Target(name="pitfalls", command=["true"], env={"URL": "{postgres+psycopg}"})
ATTEMPTS = 3
FEW = 5  # connections of a server, three of them for superusers
READY_S = 10.0
PREPARED = 6  # the execution at which psycopg prepares a statement
PORT = 6432  # of its socket


@pytest.fixture
def url(databases: Databases) -> str:
    """Address of a fresh database with the blog, for psycopg."""
    found = databases.with_database(BLOG, empty=True).env["URL"]
    engine = create_engine(found, poolclass=NullPool)
    reset_database(engine)
    return found


def with_asyncpg(url: str) -> str:
    return url.replace("+psycopg", "+asyncpg")


# Pitfall 12.


def add_mark(session: Session) -> None:
    post = session.get_one(Post, 1)
    post.title += "!"
    session.commit()


def with_retries(engine: Engine, work: Callable[[Session], None]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        with Session(engine) as session:
            try:
                work(session)
                return
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)  # of psycopg and of asyncpg
                if state != "40001" or attempt == ATTEMPTS:
                    raise


class Interrupted(Session):
    """Session before whose commit another one commits a change of the same post, `times`."""

    times = 1

    def commit(self) -> None:
        if Interrupted.times:
            Interrupted.times -= 1
            with Session(self.get_bind()) as other:
                add_mark(other)
        super().commit()


def title(engine: Engine) -> str:
    with Session(engine) as session:
        return session.get_one(Post, 1).title


def interrupted(times: int) -> Callable[[Session], None]:
    Interrupted.times = times

    def work(session: Session) -> None:
        with Interrupted(session.get_bind()) as own:
            add_mark(own)

    return work


@pytest.fixture
def repeatable(url: str) -> Iterator[Engine]:
    engine = create_engine(url, isolation_level="REPEATABLE READ", poolclass=NullPool)
    yield engine
    engine.dispose()


def test_change_of_a_changed_row_fails(repeatable: Engine) -> None:
    with pytest.raises(OperationalError) as failure, Session(repeatable) as session:
        interrupted(1)(session)
    assert str(failure.value).splitlines()[0] == quoted("serialize")
    assert title(repeatable) == "first!"


def test_transaction_that_is_repeated_is_kept(repeatable: Engine) -> None:
    with_retries(repeatable, interrupted(ATTEMPTS - 1))
    assert title(repeatable) == "first" + "!" * ATTEMPTS
    with pytest.raises(OperationalError):
        with_retries(repeatable, interrupted(ATTEMPTS))


def test_change_is_lost_by_default(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with_retries(engine, interrupted(1))
    assert title(engine) == "first!"  # of two


# Pitfall 13.

ASYNCPG_UNNAMED: dict[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"__{uuid4()}__",
}
PSYCOPG_UNNAMED = {"prepare_threshold": None}


@pytest.fixture
def pooler(url: str, tmp_path: Path) -> Iterator[str]:
    """Address of the same database behind PgBouncer, which has two connections to it."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        pytest.skip("no pgbouncer: apt-get install pgbouncer")
    made = make_url(url)
    folder = Path("/tmp", f"twinbench-pooler-{os.getpid()}")  # noqa: S108  # a short path
    folder.mkdir()
    as_user = []
    if os.getuid() == 0:  # it does not run as root
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["-u", user.pw_name]
    settings = {
        "pool_mode": "transaction",
        "default_pool_size": 2,
        "auth_type": "any",
        "unix_socket_dir": folder,
        "listen_port": PORT,
    }
    lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
    server = f"* = host={made.query['host']} user={made.username}"
    config = tmp_path / "pgbouncer.ini"
    config.write_text(f"[databases]\n{server}\n[pgbouncer]\n{lines}\n")
    tmp_path.chmod(0o755)
    process = subprocess.Popen([program, *as_user, str(config)], stderr=subprocess.PIPE)
    there = {"host": str(folder), "port": str(PORT)}
    address = made.set(query=there).render_as_string()
    try:
        _wait_for(address)
        yield address
    finally:
        process.terminate()
        process.communicate()
        shutil.rmtree(folder)


def _wait_for(address: str) -> None:
    end = time.monotonic() + READY_S
    engine = create_engine(address, poolclass=NullPool, connect_args=PSYCOPG_UNNAMED)
    while time.monotonic() < end:
        with contextlib.suppress(OperationalError), engine.connect():
            return
        time.sleep(0.05)
    raise TimeoutError("pgbouncer did not become ready")


async def read(connection: AsyncConnection) -> None:
    assert len((await connection.execute(select(Post.id))).all()) == 2


async def with_two_clients(url: str, **options: Any) -> None:
    """Read often enough that a driver prepares the statement, in turn and then at once."""
    engine = create_async_engine(url, connect_args=options, poolclass=NullPool)
    async with engine.connect() as one, engine.connect() as other:
        for _ in range(PREPARED):
            for connection in (one, other):
                async with connection.begin():
                    await read(connection)
        # Each has had the first connection of the server: now one of them gets the second.
        async with other.begin():
            await read(other)
            async with one.begin():
                await read(one)


def test_statements_of_asyncpg_are_missing_behind_a_pooler(pooler: str) -> None:
    with pytest.raises(DBAPIError) as failure:
        asyncio.run(with_two_clients(with_asyncpg(pooler)))
    # It counts them in each process.
    assert quoted("asyncpg-pooler") in re.sub(r"stmt_\w+?__", "stmt_5__", str(failure.value))


def test_statements_of_psycopg_collide_behind_a_pooler(pooler: str) -> None:
    with pytest.raises(DBAPIError) as failure:
        asyncio.run(with_two_clients(pooler))
    assert quoted("psycopg-pooler") in str(failure.value)


def test_statements_without_a_lasting_name_do_not_collide(pooler: str) -> None:
    asyncio.run(with_two_clients(with_asyncpg(pooler), **ASYNCPG_UNNAMED))
    asyncio.run(with_two_clients(pooler, **PSYCOPG_UNNAMED))


# Pitfall 14.


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a server with few connections, for a user without privileges."""
    monkeypatch.setitem(cluster.SETTINGS, "max_connections", str(FEW))
    made = cluster.PrivateCluster(())
    try:
        made.execute("CREATE ROLE app LOGIN")
        address = made.url("postgres").replace("postgresql://", "postgresql+psycopg://")
        yield address.replace(f"{cluster.USER}@", "app@")
    finally:
        made.stop()


def test_pools_together_need_more_than_the_server_has(small: str) -> None:
    workers = [create_engine(small, pool_size=1, max_overflow=0) for _ in range(FEW - 2)]
    with contextlib.ExitStack() as stack:
        for engine in workers[:-1]:
            stack.enter_context(engine.connect())
        with pytest.raises(OperationalError) as failure:
            workers[-1].connect()
        assert quoted("slots") in str(failure.value)
    for engine in workers:
        engine.dispose()


# The others.


def test_def_routes_deadlock(url: str) -> None:
    with pool(SHORT_S, url=url):
        assert statuses(app, *["/post"] * REQUESTS).count(500) >= THREADS
    for path in ("/limited", "/closed"):
        with pool(LONG_S, url=url):
            assert statuses(app, *[path] * REQUESTS) == [200] * REQUESTS
    with pool(LONG_S, REQUESTS, url):
        assert statuses(app, *["/post"] * REQUESTS) == [200] * REQUESTS


def test_write_held_open_stops_no_writer_of_other_rows(url: str) -> None:
    async def run() -> str:
        engine = create_async_engine(url, poolclass=NullPool)
        api = Api()
        async with AsyncSession(engine) as session, AsyncSession(engine) as other:
            writing = asyncio.ensure_future(write_then_ask(session, api))
            await api.asked.wait()
            other.add(Post(title="other", user_id=2))
            await other.commit()
            api.answer.set()
            await writing
            return str(await other.scalar(text("SHOW lock_timeout")))

    assert asyncio.run(run()) == "0"  # a writer of the same row waits without a limit


def test_failed_commit_leaves_nothing_in_the_connection(url: str) -> None:
    engine = create_engine(url, pool_size=1, max_overflow=0)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE posts DROP CONSTRAINT posts_user_id_fkey"))
        connection.execute(
            text(
                "ALTER TABLE posts ADD FOREIGN KEY (user_id) REFERENCES users"
                " DEFERRABLE INITIALLY DEFERRED"
            )
        )
    with Session(engine) as session:
        session.get_one(Post, 1).user_id = 99
        with pytest.raises(IntegrityError):
            session.commit()
    with Session(engine) as session:
        assert session.get_one(Post, 1).user_id == 1
    engine.dispose()


def test_two_tasks_on_an_open_connection_wait(url: str) -> None:
    async def run(url: str) -> list[int]:
        engine = create_async_engine(url, poolclass=NullPool)
        async with AsyncSession(engine) as session:
            await session.get_one(User, 1)
            return rows(await both_at_once(session))

    for driver in (url, with_asyncpg(url)):
        assert asyncio.run(run(driver)) == [2, 2]


def test_two_tasks_on_a_connection_of_asyncpg_fail(url: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url.replace("+psycopg", ""))
        try:
            await asyncio.gather(*(connection.fetch("SELECT id FROM posts") for _ in range(2)))
        finally:
            await connection.close()

    with pytest.raises(asyncpg.InterfaceError) as failure:
        asyncio.run(run())
    assert str(failure.value) == quoted("two-operations")
