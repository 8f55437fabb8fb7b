"""Remarks: errors beside a measurement, which do not end a run.

Telemetry, the self-check, the analysis of one cell and the drawing of one chart may fail in
unforeseen ways; each is wrapped by `remarked`, and nothing else is.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from twinbench.text import printable

# A full disk stays an error: what is measured afterwards could not be kept either.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def remarked(remarks: list[str], missing: str) -> Iterator[None]:
    """Add an error in the block to `remarks`: what is `missing` because of it, and why."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise
        remarks.append(f"{missing}: {reason(error)}")


def reason(error: Exception) -> str:
    """Return one line of text for `error`; with its type if it is not twinbench's own."""
    lines = printable(str(error)).split("\n")
    ours = type(error).__module__.split(".")[0] == "twinbench"
    return lines[0] if ours else f"{type(error).__name__}: {lines[0]}".removesuffix(": ")
