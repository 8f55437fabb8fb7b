"""Progress of a run: a bar in a terminal, a line every 15 s in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@contextmanager
def run_progress(console: Console, total: int, done: int) -> Iterator[Callable[[CellRecord], None]]:
    """Show the progress of a run; the function that is given takes each finished measurement."""
    bar = Progress(
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
    task = bar.add_task("", total=total, completed=done, newest="")
    logged = began = time.monotonic()
    count = done

    def on_record(record: CellRecord) -> None:
        nonlocal logged, count
        count += 1
        newest = f"{record.label}: {_result(record)}"
        bar.update(task, completed=count, newest=newest)
        if record.outcome == "lost":
            console.print(f"lost: {record.label}: {record.reason}", markup=False)
        elif not console.is_terminal and (now := time.monotonic()) - logged > LOG_EVERY_S:
            logged = now
            left_s = (now - began) / (count - done) * (total - count)
            left = f"{duration(left_s)} left"
            console.print(f"{count} of {total} measurements, {left}; {newest}")

    with bar:
        yield on_record


def _result(record: CellRecord) -> str:
    if record.outcome == "done":
        return f"{record.good / record.window_s:,.0f} req/s"
    return record.outcome


@contextmanager
def status(console: Console) -> Iterator[Callable[[str], None]]:
    """Show steps before and after measuring: on a line that is replaced, in a terminal only."""
    with console.status("") as status:
        yield status.update
