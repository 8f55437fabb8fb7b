"""What differs between SQLite and PostgreSQL, so that both apps have the same code for both."""

from typing import Any

from anyio import fail_after
from anyio.from_thread import start_blocking_portal
from sqlalchemy import Connection, NullPool, func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from apps.shared import sqlite
from apps.shared.models import Base
from apps.shared.settings import settings

CONNECT_TIMEOUT_S = 10
# Any number: PostgreSQL's name of the lock that is held while tables are made and filled.
SEED_LOCK = 2026
MAY_WRITE = """
    SELECT current_setting('transaction_read_only') = 'off'
    AND has_schema_privilege(current_schema(), 'CREATE')
"""
# As in SQLite: waits `ms` milliseconds and returns them.
WAIT_MS = """
    CREATE OR REPLACE FUNCTION wait_ms(ms double precision)
    RETURNS double precision LANGUAGE sql VOLATILE
    AS 'SELECT pg_sleep(ms / 1000); SELECT ms'
"""
# SQLSTATE of what another transaction or too many connections have caused: trying again helps.
BUSY_STATES = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "53300",  # too_many_connections
    "55P03",  # lock_not_available, after lock_timeout
    "57P03",  # cannot_connect_now: the server starts or stops
}
# psycopg has no SQLSTATE of a connection that the server refuses, only the server's message.
TOO_MANY = ("too many c", "connection slots are reserved")


def database_url(driver: str, app: str) -> str:
    """Return the SQLAlchemy URL of the database of `app`; `driver` is for a SQLite file.

    Raise SystemExit if PostgreSQL cannot be reached, or refuses to create tables.
    """
    url = settings.url(driver, app)
    if settings.database_url:
        _require_server(url)
    return url


def _require_server(url: str) -> None:
    """Raise SystemExit if the server of `url` cannot be reached, or refuses to create tables."""

    async def ask() -> bool:
        engine = create_async_engine(url, poolclass=NullPool)
        with fail_after(CONNECT_TIMEOUT_S):
            async with engine.connect() as connection:
                return bool(await connection.scalar(text(MAY_WRITE)))

    try:
        # In a thread: uvicorn imports an app while its event loop runs.
        with start_blocking_portal() as portal:
            may_write = portal.call(ask)
    except TimeoutError:
        reason = f"PostgreSQL did not respond within {CONNECT_TIMEOUT_S} s"
    except (SQLAlchemyError, ImportError, OSError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        first = str(cause).partition("\n")[0] or repr(cause)
        reason = f"no connection to PostgreSQL ({first})"
    else:
        if may_write:
            return
        reason = "read-only, or its user may not create tables; name another"
    raise SystemExit(f"BLOG_DATABASE_URL: {reason}")


def prepare_connection(connection: Any, record: object) -> None:
    """Prepare a new connection: a listener of `connect`.

    A writer waits as long for a row of PostgreSQL, which has no limit by default, as for SQLite.
    """
    if not settings.database_url:
        sqlite.prepare_connection(connection, record)
        return
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = {sqlite.BUSY_TIMEOUT_MS}")
    cursor.close()
    connection.commit()  # a rollback would undo SET


def create_tables(connection: Connection) -> None:
    """Take the lock for writing until the commit, and create the tables.

    Several worker processes may start on one empty database at once.
    """
    if settings.database_url:
        connection.execute(select(func.pg_advisory_xact_lock(SEED_LOCK)))
        connection.execute(text(WAIT_MS))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    Base.metadata.create_all(connection)


def continue_ids(connection: Connection) -> None:
    """Let ids go on after those that were inserted with the demo; SQLite does so by itself."""
    if not settings.database_url:
        return
    for table in Base.metadata.sorted_tables:
        sequence = func.pg_get_serial_sequence(table.name, "id")
        connection.execute(select(func.setval(sequence, func.max(table.c.id))))


def is_busy(error: DBAPIError) -> bool:
    """Return whether another connection was in the way, so that trying again helps."""
    if not settings.database_url:
        return sqlite.is_locked(error)
    if state := getattr(error.orig, "sqlstate", None):
        return state in BUSY_STATES
    return any(words in str(error.orig) for words in TOO_MANY)
