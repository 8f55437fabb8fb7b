"""Charts drawn: each a file, and an element for the page.

Where there are many, in processes of their own: matplotlib takes a twentieth of a second for one.
"""

import io
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from markupsafe import Markup

from twinbench.analyse.results import Results
from twinbench.interruption import check_interrupted
from twinbench.remarks import remarked
from twinbench.report import svg
from twinbench.report.charts.axes import RC
from twinbench.report.gallery import Chart
from twinbench.scratch import scratch

WORKERS = 2
FEW = 20  # are drawn before other processes have started
PNG_DPI = 150  # of pictures outside of the page: sharp on most screens, and below 100 kB

# On a page instead of a chart.
MISSING = Markup('<p class="missing">Chart {} {}</p>')
Draw = Callable[[], str]


class Drawn(NamedTuple):
    """Elements for a page, and why charts are missing, by the names of the charts. What is missing
    has an element that says so."""

    elements: dict[str, str]
    failed: dict[str, str]


def draw(
    charts: Sequence[Chart],
    results: Results | None,
    folder: Path,
    tell: Callable[[str], None],
    pool: Executor | None = None,
) -> Drawn:
    """Draw `charts` into `folder`. `pool`: `workers` that have been started before."""
    # Nothing is written through a link: its target is not of this run.
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(exist_ok=True)
    if len(charts) <= FEW:
        with mpl.rc_context(RC):  # type: ignore[arg-type]
            return _told(charts, lambda chart: partial(_draw, chart, results, folder), tell)
    with _handed(results) as given, nullcontext(pool) if pool else workers() as hands:
        return _told(charts, partial(_submitted, hands, partial(_draw_given, given, folder)), tell)


def _told(
    charts: Sequence[Chart], begin: Callable[[Chart], Draw], tell: Callable[[str], None]
) -> Drawn:
    """Begin them all, then take one by one."""
    drawn = Drawn({}, {})
    for chart, drawing in [(chart, begin(chart)) for chart in charts]:
        tell(f"drawing {chart.name}")
        check_interrupted()
        failed: list[str] = []
        with remarked(failed, "could not be drawn"):
            drawn.elements[chart.name] = drawing()
        if failed:
            drawn.failed[chart.name] = failed[0]
            drawn.elements[chart.name] = MISSING.format(chart.name, failed[0])
    return drawn


def _submitted(hands: Executor, draw_one: Callable[[Chart], str], chart: Chart) -> Draw:
    try:
        return hands.submit(draw_one, chart).result
    except BrokenExecutor as broken:
        return partial(_fail, broken)


def _fail(error: Exception) -> str:
    raise error


def _draw(chart: Chart, results: Results | None, folder: Path) -> str:
    figure = chart.figure(results)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    alone = svg.alone(buffer.getvalue(), chart.name, chart.alt)
    _unlinked(folder / f"{chart.name}.svg").write_bytes(alone)
    if chart.png:
        figure.savefig(_unlinked(folder / f"{chart.name}.png"), dpi=PNG_DPI)
    return svg.inline(alone)


def _unlinked(path: Path) -> Path:
    """Return `path`, at which nothing is now."""
    path.unlink(missing_ok=True)
    return path


@contextmanager
def workers() -> Iterator[Executor]:
    """Processes that end with this one, however it ends. They do not hear Ctrl-C, which is for
    this one: it lets them finish the chart they are at."""
    pool = ProcessPoolExecutor(
        WORKERS, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
    )
    # Not before: setting up a pool, Python unblocks what is blocked.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(WORKERS):
            pool.submit(os.getpid)  # starts one, which is born deaf
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield pool
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    mpl.rcParams.update(RC)  # type: ignore[arg-type]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


@contextmanager
def _handed(results: Results | None) -> Iterator[Path]:
    """A file for the workers to read once: with every chart it would be sent anew."""
    with scratch() as folder:
        file = folder / "results.pickle"
        file.write_bytes(pickle.dumps(results))
        yield file


@cache
def _taken(given: Path) -> Results | None:
    results: Results | None = pickle.loads(given.read_bytes())  # noqa: S301 - ours, of just now
    return results


def _draw_given(given: Path, folder: Path, chart: Chart) -> str:
    return _draw(chart, _taken(given), folder)
