"""Progress of a run: a bar in a terminal, a line every 15 s in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from twinbench.store import CellRecord
from twinbench.text import duration

# Each refresh costs CPU on the generator's core.
REFRESHES_PER_S = 2
LOG_EVERY_S = 15.0


class RunProgress:
    """Context manager that shows progress; call `update` with each finished measurement."""

    def __init__(self, console: Console, total: int, done: int) -> None:
        self._console = console
        self._total, self._done = total, done
        self._logged = self._began = time.monotonic()
        self._began_with = done
        self._bar = Progress(
            TextColumn("measuring"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[newest]}"),
            console=console,
            refresh_per_second=REFRESHES_PER_S,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, completed=done, newest="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, record: CellRecord) -> None:
        """Count `record` and show its result."""
        self._done += 1
        done = record.outcome == "done" and record.window_s > 0
        result = f"{record.good / record.window_s:,.0f} req/s" if done else record.outcome
        newest = f"{record.label}: {result}"
        self._bar.update(self._task, completed=self._done, newest=newest)
        if not self._console.is_terminal and time.monotonic() - self._logged > LOG_EVERY_S:
            self._logged = time.monotonic()
            self._console.print(
                f"{self._done} of {self._total} measurements, {self._left()}; {newest}"
            )

    def _left(self) -> str:
        spent_s = time.monotonic() - self._began
        left_s = spent_s / (self._done - self._began_with) * (self._total - self._done)
        return f"{duration(left_s)} left"


@contextmanager
def status(console: Console) -> Iterator[Callable[[str], None]]:
    """Show steps before and after measuring: on a line that is replaced, in a terminal only."""
    with console.status("") as status:
        yield status.update
