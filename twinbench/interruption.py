"""Ctrl-C and SIGTERM: noted at any moment, acted on only where nothing is half done.

An exception that is raised between two arbitrary instructions meets code that cannot bear it: a
model that is being built (pydantic makes a SchemaError of it), a folder that was made and is not
yet known to whoever removes it. From `listen` on a signal is therefore only noted, and
KeyboardInterrupt is raised where the program waits (`interruptible`) or between two steps
(`check_interrupted`): once, so that a second signal does not spoil the clean-up.
"""

import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it is imported before a handler for signals is there
    from types import FrameType

EXIT_CODE = 130  # 128 + SIGINT, as shells have it
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Much longer than a clean-up takes. A signal that comes so long after the first one means it: the
# process ends at once, its children with it, and the next start removes its scratch folders.
PATIENCE_S = 15.0


class _State:
    waiting = False
    noted_at: float | None = None
    raised = False


def exit_at_once(*_: object) -> None:
    """End the process: nothing is to be cleaned up. A signal handler."""
    os.write(2, b"Interrupted.\n")
    os._exit(EXIT_CODE)


def listen() -> None:
    """Note signals from now on instead of ending at once."""
    for number in SIGNALS:
        signal.signal(number, _note)


def check_interrupted() -> None:
    """Raise KeyboardInterrupt if a signal was noted, once."""
    if _State.noted_at is not None and not _State.raised:
        _State.raised, _State.waiting = True, False
        raise KeyboardInterrupt


class interruptible:  # noqa: N801  # used as a function is
    """A wait in which a signal raises KeyboardInterrupt: `with interruptible(): time.sleep(1)`.

    Nothing that must be undone may be made inside. Without effect outside the main thread, where
    signals are handled."""

    def __enter__(self) -> None:
        self._outer = _State.waiting
        if _in_main_thread():
            check_interrupted()
            _State.waiting = True
            # Of a signal that came between the two.
            check_interrupted()

    def __exit__(self, *_: object) -> None:
        if _in_main_thread():
            _State.waiting = self._outer


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _note(number: int, frame: "FrameType | None") -> None:
    now = time.monotonic()
    if _State.noted_at is None:
        _State.noted_at = now
    elif now - _State.noted_at > PATIENCE_S:
        exit_at_once()
    if _State.waiting:
        check_interrupted()
