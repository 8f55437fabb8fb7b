"""How a connection to SQLite is set up, in both apps."""

import time
from sqlite3 import SQLITE_BUSY, SQLITE_LOCKED
from typing import Any

from sqlalchemy.exc import DBAPIError

# How long a writer waits for SQLite's single write lock before it gives up.
BUSY_TIMEOUT_MS = 5_000

PRAGMAS = (
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    "journal_mode = WAL",  # readers beside one writer
    "synchronous = NORMAL",  # safe with WAL: a commit waits for no fsync
    "foreign_keys = ON",
)


def prepare_connection(connection: Any, _record: object) -> None:
    """Listen to the engine's `connect`: pragmas, and a wait that a statement can ask for.

    `wait_ms` stands in for a slow database: it holds the connection, and no GIL, for that long.
    """
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("wait_ms", 1, _wait_ms)


def is_locked(error: DBAPIError) -> bool:
    """Return whether `error` says that another connection kept the database locked."""
    # The lowest byte is the kind of error, also of the extended codes (SQLITE_BUSY_SNAPSHOT, ...).
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return code in {SQLITE_BUSY, SQLITE_LOCKED}


def _wait_ms(ms: float) -> float:
    time.sleep(ms / 1_000)
    return ms
