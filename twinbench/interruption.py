"""Ctrl-C, and SIGTERM like it: the first one ends the run, a second one does not spoil that."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# So long, and much longer than it takes, is what was interrupted put in order undisturbed:
# processes ended, temporary folders removed, the end of the session written. Whoever presses
# again after that is listened to.
UNDISTURBED_S = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Raises KeyboardInterrupt where a signal finds the program, and not twice for one end."""

    def __init__(self) -> None:
        self._deaf_until = 0.0

    def listen(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now < self._deaf_until:
            return
        self._deaf_until = now + UNDISTURBED_S
        raise KeyboardInterrupt


@contextmanager
def undisturbed() -> Iterator[None]:
    """A signal that comes in this block, which must be short, is heard at its end."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for heard in came[:1]:
            signal.raise_signal(heard)
