"""Report of `compare_power`: how often a comparison finds a slowdown, and how often it is wrong.

Markdown for docs/ci.md, and a chart. Both can be written at any time from the runs that are there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.benchmarks.power_analysis import (
    FAIL_ON,
    CpuSlopes,
    Share,
    compared,
    cpu_slopes,
    is_alarm,
    is_found,
    of_versions,
    realised,
)
from tests.benchmarks.power_plan import CHECKS_S, LEVELS, SCENARIOS, START_S, USERS, Kind, Planted
from twinbench.analyse.results import Estimate, Results, VersionComparison
from twinbench.analyse.statistics import POWER
from twinbench.plan.duration import estimated_s
from twinbench.report.charts.frame import COLOURS, GREY, MARKERS
from twinbench.store import StoreError, atomic_write
from twinbench.text import count

SLOWDOWNS = [Planted(kind, percent) for kind in SCENARIOS for percent in LEVELS]
# Slowdowns by which the methods are compared, and their blocks by those of the CI plan.
FOR_METHODS = [planted for planted in SLOWDOWNS if planted.percent in (5, 10)]
TIMES = (0.5, 1.0, 2.0, 3.0)
Rows = Iterator[Sequence[str]]
# Of each slowdown.
Comparisons = Mapping[Planted, Sequence[VersionComparison]]


@dataclass(frozen=True, slots=True)
class Method:
    """How a comparison is decided: with how many blocks, and by which figure."""

    title: str
    times: float = 1.0
    slopes: CpuSlopes | None = None


def write_report(runs: Sequence[Results], folder: Path) -> Path:
    """Write the report on `runs`, the oldest first, and its chart; return its path.

    Raises StoreError.
    """
    if not runs:
        raise StoreError(f"{folder}: there is no finished run to report on: make compare-power")
    if len({_conditions(run) for run in runs}) > 1:
        raise StoreError(f"{folder}: runs of different plans or machines: use another --folder")
    found = {planted: compared(runs, planted) for planted in SLOWDOWNS}
    unchanged = compared(runs)
    tables = _found(runs, found), _alarms(unchanged, found), _methods_table(runs)
    text = "\n\n".join([_about(runs), *("\n".join(_markdown(table)) for table in tables)])
    atomic_write(folder / "power.md", f"{text}\n")
    _figure(found, unchanged).savefig(folder / "power.svg")
    return folder / "power.md"


def _conditions(run: Results) -> str:
    """Return what must be equal in all runs."""
    plan = of_versions([run]).plan.model_dump_json(exclude={"seed", "blocks"})
    return f"{plan} {run.plan.blocks} {run.machine.settings()}"


def _about(runs: Sequence[Results]) -> str:
    machine, plan = runs[0].machine, runs[0].plan
    busy, wait = (
        f"{name} at {USERS[kind](plan.scenario(name).closed)} users"
        for kind, name in SCENARIOS.items()
    )
    return (
        f"{count(len(runs), 'run')} on {machine.cores} cores ({machine.cpu}), each with"
        f" {plan.blocks} blocks of {plan.measure_s:g} s: {_minutes(runs, 1.0)} for a comparison of"
        f" the CI plan. Planted is time of each request: a busy loop in {busy}, a wait in {wait}."
        " Requests that take 10 % longer are 1 / 1.1 as many."
    )


def _minutes(runs: Sequence[Results], times: float) -> str:
    """Return how long a comparison of the CI plan takes with `times` its blocks."""
    plan = of_versions(runs[:1]).plan
    blocks = max(1, round(times * runs[0].plan.blocks))
    seconds = CHECKS_S + estimated_s(plan.model_copy(update={"blocks": blocks}), START_S)
    return f"{seconds / 60:.0f} minutes"


def _found(runs: Sequence[Results], found: Comparisons) -> Rows:
    yield "planted", "realised", "found", f"fails by {FAIL_ON:.0%}", "could not tell"
    for planted, comparisons in found.items():
        if not comparisons:
            continue
        longer = _percent(realised(runs, planted))
        right = partial(is_found, planted=planted)
        yield f"{planted.kind}, {planted.percent} %", longer, *_verdicts(comparisons, right)


def _alarms(unchanged: Sequence[VersionComparison], found: Comparisons) -> Rows:
    beside = [is_alarm(each, planted) for planted, of in found.items() for each in of]
    yield "no change", "slower or faster", f"fails by {FAIL_ON:.0%}", "could not tell"
    yield "one app, a comparison of each run", *_verdicts(unchanged, is_alarm)
    yield "in rows beside a slowed one: not independent", _shown(Share.among(beside)), "", ""


def _verdicts(
    comparisons: Sequence[VersionComparison], counted: Callable[[VersionComparison], bool]
) -> tuple[str, str, str]:
    """Return in how many comparisons something is found, fails, or has no verdict."""
    return (
        _shown(Share.among(map(counted, comparisons))),
        _shown(Share.among(each.fails for each in comparisons)),
        _shown(Share.among(each.verdict == "could not tell" for each in comparisons)),
    )


def _methods_table(runs: Sequence[Results]) -> Rows:
    """Yield which methods find slowdowns in four cases of five, in bold."""
    titles = [f"{planted.kind}, {planted.percent} %" for planted in FOR_METHODS]
    yield "decided by", "time", *titles, "no change"
    for method in _methods(runs):
        by_method = partial(compared, runs, times=method.times, slopes=method.slopes)
        shares = [Share.among(is_found(c, p) for c in by_method(p)) for p in FOR_METHODS]
        cells = [f"**{_shown(s)}**" if s.reaches(POWER) else _shown(s) for s in shares]
        if unchanged := by_method():
            alarms = _shown(Share.among(map(is_alarm, unchanged)))
            yield method.title, _minutes(runs, method.times), *cells, alarms


def _methods(runs: Sequence[Results]) -> list[Method]:
    slopes = cpu_slopes(runs)
    return [
        *(Method(f"throughput, {times:g} times the blocks", times) for times in TIMES),
        Method("throughput, adjusted for the CPU share of the server", slopes=slopes),
        Method("responses per CPU second", slopes=dict.fromkeys(slopes, 1.0)),
    ]


def _shown(share: Share) -> str:
    if not share.of:
        return "not measured"
    low, high = share.interval
    return f"{share.found} of {share.of} ({low:.0%} to {high:.0%})"


def _percent(longer: Estimate | None) -> str:
    if longer is None or longer.low is None or longer.high is None:
        return "not measured"
    return f"{longer.estimate:.1%} ({longer.low:.1%} to {longer.high:.1%})"


def _markdown(rows: Rows) -> Iterator[str]:
    header = next(rows)
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"


def _figure(found: Comparisons, unchanged: Sequence[VersionComparison]) -> Figure:
    """Return the chart of the share found over the planted slowdown; at 0 % the false alarms."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(POWER, color=GREY, linestyle="--", linewidth=0.8)
    alarms = Share.among(each.verdict == "slower" for each in unchanged)
    for n, kind in enumerate(SCENARIOS):
        shares = {
            planted.percent: Share.among(is_found(each, planted) for each in comparisons)
            for planted, comparisons in found.items()
            if planted.kind == kind
        }
        _draw(axes, n, kind, {0: alarms} | shares)
    axes.set(xlabel="planted: % more time for a request", ylabel="share found", ylim=(-0.03, 1.03))
    axes.legend(frameon=False, loc="upper left")
    return figure


def _draw(axes: Axes, number: int, kind: Kind, shares: Mapping[int, Share]) -> None:
    """Draw the shares of one kind with their intervals, beside those of the others."""
    known = {percent + 0.3 * number: share for percent, share in shares.items() if share.of}
    values = [share.found / share.of for share in known.values()]
    below = [value - s.interval[0] for value, s in zip(values, known.values(), strict=True)]
    above = [s.interval[1] - value for value, s in zip(values, known.values(), strict=True)]
    axes.errorbar(
        list(known),
        values,
        [below, above],
        color=COLOURS[number],
        marker=MARKERS[number],
        capsize=3,
        label=kind,
    )
