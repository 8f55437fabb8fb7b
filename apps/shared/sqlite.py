"""Setup of each SQLite connection, the same in both apps."""

import time
from sqlite3 import SQLITE_BUSY, SQLITE_LOCKED
from typing import Any

from sqlalchemy.exc import DBAPIError

# How long a writer waits for SQLite's single write lock.
BUSY_TIMEOUT_MS = 5_000

PRAGMAS = (
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    "journal_mode = WAL",  # readers beside one writer
    "synchronous = NORMAL",  # safe with WAL: a commit does not wait for fsync
    "foreign_keys = ON",
)


def prepare_connection(connection: Any, _record: object) -> None:
    """Set the pragmas and add the SQL function `wait_ms`: a listener of `connect`.

    `wait_ms` simulates a slow database: it holds the connection without holding the GIL.
    """
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("wait_ms", 1, _wait_ms)


def is_locked(error: DBAPIError) -> bool:
    """Return whether `error` means that another connection held the lock."""
    # The lowest byte of an extended code (SQLITE_BUSY_SNAPSHOT, ...) is the primary code.
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return code in {SQLITE_BUSY, SQLITE_LOCKED}


def _wait_ms(ms: float) -> float:
    time.sleep(ms / 1_000)
    return ms
