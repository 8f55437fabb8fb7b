"""What fails beside a measurement, kept as a remark: it ends no run.

Telemetry, the self-check, the analysis of one cell and the drawing of one chart may fail in ways
that cannot be foreseen; each is wrapped by `remarked`, and nothing else is.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from twinbench.text import printable

# A full disk stays an error: what is measured after it could not be kept either.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def remarked(remarks: list[str], missing: str) -> Iterator[None]:
    """Keep what fails in this block in `remarks`: what is `missing` because of it, and why."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise
        remarks.append(f"{missing}: {reason(error)}")


def reason(error: Exception) -> str:
    """One line of text for `error`; of another's with its type, as `KeyError: 'cpu'` says more
    than `'cpu'`."""
    lines = printable(str(error)).split("\n")
    ours = type(error).__module__.split(".")[0] == "twinbench"
    return lines[0] if ours else f"{type(error).__name__}: {lines[0]}".removesuffix(": ")
