"""What a server did, kept in memory and written at its end: writing would disturb the times."""

import os
from pathlib import Path

HEADER = "arrived_ns,began_ns,ended_ns,status\n"


class Log:
    """Rows of one server process: a request arrived, was begun, was answered; monotonic clock.

    Of a frozen server there is one row, with no arrival: the freeze.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._rows: list[tuple[int, int, int, int]] = []
        self.add = self._rows.append

    def mark_first(self, now_ns: int) -> None:
        """Say at once that the load has begun: somebody outside may wait for it."""
        draft = self._folder / f".{os.getpid()}.first"
        draft.write_text(str(now_ns))
        draft.replace(self._folder / f"{os.getpid()}.first")

    def write(self) -> None:
        text = HEADER + "".join("{},{},{},{}\n".format(*row) for row in self._rows)
        draft = self._folder / f".{os.getpid()}.csv"
        draft.write_text(text)
        draft.replace(self._folder / f"{os.getpid()}.csv")
