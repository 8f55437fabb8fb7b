"""Who is ahead, where, by how much: sentences made from comparisons and curves alone."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from twinbench.analyse.results import Comparison, Metric, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import kinds_of, span

NAMES: dict[Metric, str] = {"throughput": "throughput", "p50": "median", "p99": "p99"}


def summary(results: Results, scenario: str) -> list[str]:
    """Of closed loads who has the higher throughput, of open ones who answers sooner, and who
    stops answering."""
    said = [
        sentence
        for kind in kinds_of(results, scenario)
        for sentence in _of_kind(results, scenario, kind)
    ]
    return said or ["Nothing can be said."]


def _of_kind(results: Results, scenario: str, kind: LoadKind) -> Iterable[str]:
    yield from _collapses(results, scenario, kind)
    candidates = results.plan.targets_of(results.plan.scenario(scenario))[1:]
    if not candidates:
        yield from _alone(results, scenario, kind)
    for candidate in candidates:
        if kind == "closed":
            yield from _advantages(results.compared(scenario, kind, "throughput", candidate))
        else:
            medians = results.compared(scenario, kind, "p50", candidate)
            tails = results.compared(scenario, kind, "p99", candidate)
            yield from _advantages(medians)
            # What has kept a median from being compared is not said of its tail again.
            silent = {median.load for median in medians if median.decision == "not comparable"}
            yield from _advantages([t for t in tails if t.ratio or t.load not in silent])


def _collapses(results: Results, scenario: str, kind: LoadKind) -> Iterable[str]:
    for curve in results.curves_of(scenario, kind):
        fallen = [point for point in curve.points if point.collapsed]
        if fallen:
            where = ", at ".join(
                f"{span(kind, [point.value])}"
                f" ({point.collapsed} of {point.blocks + point.collapsed} blocks)"
                for point in fallen
            )
            yield f"{curve.target} stops answering at {where}."


def _advantages(found: Sequence[Comparison]) -> Iterable[str]:
    """A sentence for each stretch of loads with one decision, for one reason."""
    for (ahead, decision, reasons), group in groupby(found, key=_alike):
        compared = list(group)
        first = compared[0]
        at = span(first.load.kind, [c.load.value for c in compared])
        if decision == "not comparable":
            # Who stops answering has been said; a table of closed loads shows the rest.
            if first.load.kind == "open" and not first.survivor:
                yield f"Not compared by {NAMES[first.metric]} at {at}: {'; '.join(reasons)}."
        elif ahead:
            yield _ahead(ahead, at, compared)
        else:
            pair = f"{first.baseline} and {first.candidate}"
            by = "" if first.metric == "throughput" else f" by {NAMES[first.metric]}"
            yield (f"No difference between {pair} shown{by} at {at}; {_noise(_hidden(compared))}.")


def _alike(comparison: Comparison) -> tuple[str, str, tuple[str, ...]]:
    return style.advantage(comparison), comparison.decision, tuple(comparison.reasons)


def _ahead(ahead: str, at: str, compared: Sequence[Comparison]) -> str:
    first = compared[0]
    ratios = [c.ratio.estimate for c in compared if c.ratio]
    if ahead == first.baseline:
        ratios = [1 / ratio for ratio in ratios]
        behind = first.candidate
    else:
        behind = first.baseline
    if first.metric == "throughput":
        return f"{ahead} has the higher throughput at {at}: {_times(ratios)}."
    return (
        f"{ahead} answers sooner at {at}: its {NAMES[first.metric]} is {_times(ratios)}"
        f" that of {behind}."
    )


def _alone(results: Results, scenario: str, kind: LoadKind) -> Iterable[str]:
    """For a scenario with one target: the best it did, or how soon it answers."""
    for curve in results.curves_of(scenario, kind):
        if kind == "closed":
            rates = {p.value: p.throughput_rps.estimate for p in curve.points if p.throughput_rps}
            if rates:
                users = max(rates, key=rates.__getitem__)
                best = style.number(rates[users])
                tried = ", the highest load tried" if users == max(rates) > min(rates) else ""
                yield (
                    f"{curve.target} answers up to {best} requests a second,"
                    f" at {span(kind, [users])}{tried}."
                )
        elif known := [point for point in curve.points if point.p50_ms]:
            median = style.number(known[-1].p50_ms.estimate if known[-1].p50_ms else None)
            yield (
                f"{curve.target} answers half of {span(kind, [known[-1].value])}"
                f" within {median} ms."
            )


def _noise(hidden: float) -> str:
    if hidden > 1:
        return "the noise could hide more than a factor of 2"
    return f"one of up to {hidden:.0%} may hide in the noise"


def _hidden(compared: Sequence[Comparison]) -> float:
    """The largest difference that the intervals leave possible, as a share."""
    reach = [c.ratio.high or 1 for c in compared if c.ratio]
    reach += [1 / c.ratio.low for c in compared if c.ratio and c.ratio.low]
    return max(reach) - 1


def _times(ratios: Sequence[float]) -> str:
    low, high = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return f"{low}×" if low == high else f"{low} to {high}×"
