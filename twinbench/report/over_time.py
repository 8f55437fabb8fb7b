"""What a timeline shows, in figures and in words for those who cannot see it."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from twinbench.analyse.results import Results, Timeline
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import span

# A silence of so many bins of time (of sixty) is told, if it is also longer than the median answer
# took: between two slow answers there is nothing either.
SILENT_BINS = 6


def timelines_of(results: Results, scenario: str, kind: LoadKind) -> list[Timeline]:
    """The timelines to be put side by side, in the order of the targets; all at one load."""
    return [t for t in results.timelines if (t.scenario, t.load.kind) == (scenario, kind)]


def silence(timeline: Timeline) -> tuple[float, float] | None:
    """Beginning and end, in seconds, of the longest time after the first answer in which none
    came; None if it is not worth a word."""
    came = np.flatnonzero([sum(row) for row in timeline.counts])
    if not len(came):
        return timeline.seconds[0], timeline.seconds[-1]
    ends = np.append(came, len(timeline.counts))
    longest = int(np.argmax(np.diff(ends)))
    first, last = int(ends[longest]) + 1, int(ends[longest + 1])
    begin_s, end_s = timeline.seconds[first], timeline.seconds[last]
    usual_ms = within_ms(timeline, 50, timeline.seconds[0], math.inf) or 0.0
    if last - first < SILENT_BINS or 1e3 * (end_s - begin_s) < usual_ms:
        return None
    return begin_s, end_s


def within_ms(timeline: Timeline, percent: float, begin_s: float, end_s: float) -> float | None:
    """So many percent of the answers that came between the two moments took no longer than this:
    the upper edge of a bin; None where none came."""
    middles = (np.array(timeline.seconds[:-1]) + timeline.seconds[1:]) / 2
    counts = np.array(timeline.counts)[(middles >= begin_s) & (middles < end_s)].sum(axis=0)
    if not counts.sum():
        return None
    bin_ = int(np.searchsorted(counts.cumsum(), counts.sum() * percent / 100))
    return timeline.latency_ms[bin_ + 1]


def highest(values: Sequence[float | None]) -> float:
    return max((value for value in values if value is not None), default=0.0)


def timeline_alt(results: Results, timeline: Timeline) -> str:
    """What the heatmap of one cell and the panels beneath it show."""
    at = span(timeline.load.kind, [timeline.load.value])
    begin, end = timeline.seconds[0], timeline.seconds[-1]
    block = next((cell.block for cell in results.cells if cell.id == timeline.cell), None)
    where = f"{timeline.target} at {at}" + (f", block {block}" if block else "")
    answers = sum(map(sum, timeline.counts))
    said = [f"{where}: {answers:,} answers in {end - begin:.2g} s"]
    if answers:
        half, most = (_about(within_ms(timeline, p, begin, math.inf)) for p in (50, 99))
        said[0] += f", half of them within {half} and 99 % within {most}"
    return ". ".join([*said, *_course(timeline), *_waits(timeline)]) + "."


def _about(value_ms: float | None) -> str:
    """The edge of a bin that is a quarter wide deserves two digits."""
    return f"{style.number(float(f'{value_ms:.2g}'))} ms" if value_ms else "–"


def _course(timeline: Timeline) -> Iterator[str]:
    third = timeline.window_s / 3
    early = within_ms(timeline, 50, 0, third)
    late = within_ms(timeline, 50, 2 * third, timeline.window_s)
    if early and late and early != late:
        yield (
            f"In the first third of the window half of them within {_about(early)},"
            f" in the last within {_about(late)}"
        )
    if gap := silence(timeline):
        yield f"No answer for {gap[1] - gap[0]:.2g} s, from {gap[0]:.2g} s on"


def _waits(timeline: Timeline) -> Iterator[str]:
    if lag := highest(timeline.loop_lag_ms):
        yield f"The event loop is up to {style.number(lag)} ms late"
    waiting = [
        f"{most:.0f} requests wait for a {what}"
        for what, values in (
            ("thread", timeline.threads_waiting),
            ("connection", timeline.connections_waiting),
        )
        if (most := highest(values))
    ]
    if waiting:
        yield f"Up to {' and up to '.join(waiting)}"
