"""Who is ahead in one scenario, where, by how much: sentences made from comparisons and curves
alone."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from twinbench.analyse.results import Comparison, Curve, Results
from twinbench.plan import Load, LoadKind
from twinbench.report import style
from twinbench.report.kinds import kinds_of, span
from twinbench.report.sentences import NAMES, seen_from, spans, unshown


def summary(results: Results, scenario: str) -> list[str]:
    """Of closed loads who has the higher throughput, of open ones who answers sooner, and who
    stops answering."""
    said = [
        sentence
        for kind in kinds_of(results, scenario)
        for sentence in _of_kind(results, scenario, kind)
    ]
    return said or ["Nothing can be said."]


def alone(curve: Curve) -> str:
    """Of a target that is compared with nothing: the best it did, or how soon it answers."""
    if curve.load_kind == "closed":
        return _most(curve)
    known = [(point.value, point.p50_ms.estimate) for point in curve.points if point.p50_ms]
    if not known:
        return ""
    rate, median_ms = known[-1]
    at = span("open", [rate])
    return f"{curve.target} answers half of {at} within {style.number(median_ms)} ms."


def _most(curve: Curve) -> str:
    rates = {p.value: p.throughput_rps.estimate for p in curve.points if p.throughput_rps}
    if not rates:
        return ""
    users = max(rates, key=rates.__getitem__)
    tried = ", the highest load tried" if users == max(rates) > min(rates) else ""
    return (
        f"{curve.target} answers up to {style.number(rates[users])} requests a second,"
        f" at {span('closed', [users])}{tried}."
    )


def _of_kind(results: Results, scenario: str, kind: LoadKind) -> Iterable[str]:
    yield from _collapses(results, scenario, kind)
    candidates = results.plan.targets_of(results.plan.scenario(scenario))[1:]
    if not candidates:
        yield from filter(None, map(alone, results.curves_of(scenario, kind)))
    for candidate in candidates:
        rates, medians, tails = (
            results.compared(scenario, kind, metric, candidate)
            for metric in ("throughput", "p50", "p99")
        )
        loads = [rate.load.value for rate in rates]
        # Who stops answering has been said.
        fallen = _fallen(results, scenario, kind)
        if kind == "closed":
            yield from _advantages(loads, [rate for rate in rates if _is_told(rate, fallen)])
            yield from _advantages(loads, _otherwise(tails, rates))
        else:
            yield from _advantages(loads, [m for m in medians if _is_told(m, fallen)])
            # What has kept a median from being compared is not said of its tail again.
            silent = {median.load for median in medians if median.decision == "not comparable"}
            yield from _advantages(loads, [t for t in tails if t.ratio or t.load not in silent])


def _fallen(results: Results, scenario: str, kind: LoadKind) -> set[Load]:
    curves = results.curves_of(scenario, kind)
    return {Load(kind, p.value) for curve in curves for p in curve.points if p.collapsed}


def _is_told(comparison: Comparison, fallen: set[Load]) -> bool:
    return comparison.load not in fallen or comparison.decision != "not comparable"


def _otherwise(tails: Sequence[Comparison], rates: Sequence[Comparison]) -> list[Comparison]:
    """Tails that go another way than the throughput: among users who wait for their answers, more
    answers are shorter waits on average, and need not be for the unluckiest."""
    ahead = {rate.load: style.advantage(rate) for rate in rates}
    return [t for t in tails if style.advantage(t) and style.advantage(t) != ahead.get(t.load)]


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


def _advantages(tried: Sequence[int], found: Sequence[Comparison]) -> Iterable[str]:
    """A sentence for each stretch of the loads that were `tried` with one decision, for one
    reason."""
    for (ahead, decision, reasons), group in groupby(found, key=_alike):
        compared = list(group)
        first = compared[0]
        at = spans(first.load.kind, tried, [c.load.value for c in compared])
        if decision == "not comparable":
            yield f"Not compared{_by(first)} at {at}: {'; '.join(reasons)}."
        elif ahead:
            yield _ahead(ahead, at, compared)
        else:
            yield _level(at, compared)


def _alike(comparison: Comparison) -> tuple[str, str, tuple[str, ...]]:
    """Reasons part only what is not compared: beside a decision they are remarks."""
    decision = comparison.decision
    reasons = comparison.reasons if decision == "not comparable" else ()
    return style.advantage(comparison), decision, tuple(reasons)


def _level(at: str, compared: Sequence[Comparison]) -> str:
    first = compared[0]
    pair = f"{first.baseline} and {first.candidate}"
    hidden = f", {unshown(compared)}" if unshown(compared) else ""
    return f"No difference between {pair} shown{_by(first)} at {at}{hidden}."


def _by(compared: Comparison) -> str:
    return "" if compared.metric == "throughput" else f" by {NAMES[compared.metric]}"


def _ahead(ahead: str, at: str, compared: Sequence[Comparison]) -> str:
    first = compared[0]
    ratios = [seen_from(ahead, c).estimate for c in compared]
    behind = first.baseline if ahead == first.candidate else first.candidate
    if first.metric == "throughput":
        return f"{ahead} has the higher throughput at {at}: {_times(ratios)}."
    if first.load.kind == "closed":
        return f"The p99 of {ahead} is the lower one at {at}: {_times(ratios)} that of {behind}."
    return (
        f"{ahead} answers sooner at {at}: its {NAMES[first.metric]} is {_times(ratios)}"
        f" that of {behind}."
    )


def _times(ratios: Sequence[float]) -> str:
    low, high = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return f"{low}×" if low == high else f"{low} to {high}×"
