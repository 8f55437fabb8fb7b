"""Ctrl-C and SIGTERM, deferred to points where nothing is half done.

KeyboardInterrupt between two arbitrary instructions breaks code that does not expect it: pydantic
turns it into a SchemaError while it builds a model; a folder that was just made is never removed.
After `defer_signals` a signal is only recorded. KeyboardInterrupt is raised where the program
waits (`interruptible`) or between two steps (`check_interrupted`): once, so that a second signal
does not interrupt the clean-up (docs/decisions/0016-interrupts.md).
"""

import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # this module is imported before signals are handled
    from types import FrameType

EXIT_CODE = 130  # 128 + SIGINT, as shells have it
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Much longer than a clean-up takes. A later signal ends the process at once, and its
# children with it; the next start removes its scratch folders.
CLEAN_UP_S = 15.0


class _State:
    waiting = False
    first_at: float | None = None
    raised = False


def exit_at_once(*_: object) -> None:
    """End the process without clean-up. A signal handler."""
    os.write(2, b"Interrupted.\n")
    os._exit(EXIT_CODE)


def defer_signals() -> None:
    """Record signals from now on instead of ending at once."""
    for number in SIGNALS:
        signal.signal(number, _record)


def check_interrupted() -> None:
    """Raise KeyboardInterrupt if a signal was recorded, once."""
    if _State.first_at is not None and not _State.raised:
        _State.raised, _State.waiting = True, False
        raise KeyboardInterrupt


class interruptible:  # noqa: N801  # used like a function
    """Context around a wait, in which a signal raises KeyboardInterrupt.

    Nothing that must be undone may be made inside. Without effect outside the main thread, where
    signals are handled.
    """

    def __enter__(self) -> None:
        self._outer = _State.waiting
        if _in_main_thread():
            check_interrupted()
            _State.waiting = True
            check_interrupted()  # for a signal between the two

    def __exit__(self, *_: object) -> None:
        if _in_main_thread():
            _State.waiting = self._outer


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _record(number: int, frame: "FrameType | None") -> None:
    now = time.monotonic()
    if _State.first_at is None:
        _State.first_at = now
    elif now - _State.first_at > CLEAN_UP_S:
        exit_at_once()
    if _State.waiting:
        check_interrupted()
