"""What differs between SQLite and PostgreSQL, so that both apps have the same code for both."""

from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from apps.shared import sqlite
from apps.shared.models import Base
from apps.shared.settings import settings

# Any number: PostgreSQL's name of the lock that is held while tables are made and filled.
SEED_LOCK = 2026
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
    "55P03",  # lock_not_available
}


def prepare_connection(connection: Any, record: object) -> None:
    """Prepare a new connection: a listener of `connect`. PostgreSQL needs nothing."""
    if not settings.database_url:
        sqlite.prepare_connection(connection, record)


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
    return getattr(error.orig, "sqlstate", None) in BUSY_STATES
