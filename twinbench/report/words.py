"""What the curves say, in sentences made from comparisons and cells alone."""

from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile

from twinbench.analyse.results import Comparison, Results
from twinbench.report import style

# Share of a core above which a server is at its limit; 1.00 is never quite read.
FULL_CORE = 0.95

LIMITS = (
    "One machine, one Python, one day: the ratios carry over better than the absolute figures.",
    "Server and generator share the machine; each has its own core where the system allows.",
    "Closed loads: each user waits for its answer before it sends again. The latencies are those"
    " of so many users, not of a given arrival rate; when a server slows down, so do its users.",
    "Each interval stands for itself (95 %); with so many of them a few will miss the truth.",
    "A percentile is given only where at least 20 samples lie beyond it.",
    "SQLite has no asynchronous driver: aiosqlite runs one thread per connection.",
)


def summary(results: Results, scenario: str) -> list[str]:
    """Who has the higher throughput at which loads, and who stops answering."""
    candidates = results.plan.targets_of(results.plan.scenario(scenario))[1:]
    said: list[str] = []
    for candidate in candidates:
        said += _advantages(results.compared(scenario, "throughput", candidate))
    if not candidates:
        said += _alone(results, scenario)
    return [*_collapses(results, scenario), *said] or ["Nothing can be said."]


def costs(results: Results, scenario: str) -> Iterable[str]:
    """From which load on a server has no CPU left: then the cost of a request decides."""
    for curve in results.curves:
        if curve.scenario != scenario:
            continue
        used = [point for point in curve.points if point.server_cpu is not None]
        full = list(takewhile(lambda p: (p.server_cpu or 0) > FULL_CORE, reversed(used)))
        if full:
            cost = style.number(full[-1].server_cpu_ms)
            since = f"from {_span([full[-1].value])} on" if full != used[::-1] else "at every load"
            yield f"{curve.target} fills its core {since}, at {cost} ms of CPU a request."


def validity(results: Results) -> str:
    """How many cells count."""
    cells = results.cells
    void = sum(cell.status == "void" for cell in cells)
    collapsed = sum(cell.status == "collapsed" for cell in cells)
    blocks = results.plan.blocks
    parts = [f"{len(cells)} cells in {blocks} block{'s' if blocks > 1 else ''}"]
    parts.append(f"{collapsed} collapsed" if collapsed else "none collapsed")
    parts.append(f"{void} void" if void else "none void")
    if results.missing_cells:
        parts.append(f"{results.missing_cells} not measured yet")
    return ", ".join(parts) + "."


def pairs(results: Results) -> str:
    """Which target is divided by which, in all comparisons."""
    return ", ".join(dict.fromkeys(f"{c.candidate} / {c.baseline}" for c in results.comparisons))


def unequal(results: Results) -> list[str]:
    """Which targets are not meant to equal their baseline: their ratios are about that too."""
    return [
        f"{target.name} is meant to differ from its baseline: {target.why_differs}"
        for target in results.plan.targets
        if target.differs
    ]


def timing(results: Results) -> str:
    timing = results.timing
    share = timing.window_s / timing.elapsed_s if timing.elapsed_s else 0.0
    return (
        f"{style.duration(timing.elapsed_s)} of measuring, {share:.0%} of it inside measuring"
        f" windows of {results.plan.measure_s:g} s."
    )


def reasons(results: Results) -> list[tuple[str, int]]:
    """Every reason that a cell was given, with how many cells have it, most common first."""
    counts: dict[str, int] = {}
    for cell in results.cells:
        for reason in cell.reasons:
            text = f"{cell.scenario}, {cell.target}, {cell.load.value} users: {reason}"
            counts[text] = counts.get(text, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def alt(results: Results, scenario: str, what: str) -> str:
    """What a chart shows, for those who cannot see it."""
    return f"{what} for {scenario}. " + " ".join(summary(results, scenario))


def _collapses(results: Results, scenario: str) -> Iterable[str]:
    for curve in results.curves:
        if curve.scenario != scenario:
            continue
        fallen = [point for point in curve.points if point.collapsed]
        if fallen:
            where = ", at ".join(
                f"{_span([point.value])}"
                f" ({point.collapsed} of {point.blocks + point.collapsed} blocks)"
                for point in fallen
            )
            yield f"{curve.target} stops answering at {where}."


def _advantages(found: Sequence[Comparison]) -> Iterable[str]:
    for (ahead, decision), group in groupby(found, key=lambda c: (style.advantage(c), c.decision)):
        compared = list(group)
        if decision == "not comparable":
            continue
        at = _span([c.load.value for c in compared])
        ratios = [c.ratio.estimate for c in compared if c.ratio]
        if ahead == compared[0].baseline:
            ratios = [1 / ratio for ratio in ratios]
        if ahead:
            yield f"{ahead} has the higher throughput at {at}: {_times(ratios)}."
        else:
            pair = f"{compared[0].baseline} and {compared[0].candidate}"
            yield (
                f"No difference between {pair} shown at {at};"
                f" one of up to {_hidden(compared):.0%} may hide in the noise."
            )


def _alone(results: Results, scenario: str) -> Iterable[str]:
    """For a scenario with one target: the best it did."""
    for curve in results.curves:
        known = [point for point in curve.points if point.throughput_rps]
        if curve.scenario == scenario and known:
            rates = {p.value: p.throughput_rps.estimate for p in known if p.throughput_rps}
            users = max(rates, key=rates.__getitem__)
            best = style.number(rates[users])
            yield f"{curve.target} answers at most {best} requests a second, at a load of {users}."


def _hidden(compared: Sequence[Comparison]) -> float:
    """The largest difference that the intervals leave possible, as a share."""
    reach = [c.ratio.high or 1 for c in compared if c.ratio]
    reach += [1 / c.ratio.low for c in compared if c.ratio and c.ratio.low]
    return max(reach) - 1


def _span(loads: Sequence[int]) -> str:
    if len(loads) == 1:
        return f"{loads[0]} user{'s' if loads[0] > 1 else ''}"
    return f"{loads[0]} to {loads[-1]} users"


def _times(ratios: Sequence[float]) -> str:
    low, high = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return f"{low}×" if low == high else f"{low} to {high}×"
