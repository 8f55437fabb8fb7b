"""What the curves of one scenario mean, a line each: capacity, SLO, crossover, law, CPU."""

from collections.abc import Iterable, Sequence

from twinbench.analyse.results import (
    Bound,
    Capacity,
    Crossover,
    Curve,
    Estimate,
    Objective,
    Results,
    Usl,
)
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import kinds_of, span
from twinbench.report.sentences import NAMES, about, listed

# So near to the least bound a curve still bends towards it; lower, it is held down by another.
REACHED = 0.75
USL = "Contention is the share that is done one after the other, coherency what each pair costs"
UNTIL = {
    "missed": "",
    "collapsed": ", beyond which it stops answering",
    "not known": ", beyond which nothing is known",
    "range": ", the highest tried",
}
NOWHERE = {
    "missed": "at no load tried",
    "collapsed": "at no load: it stops answering at the lowest",
    "not known": "not known",
    "range": "at no load tried",
}


def facts(results: Results, scenario: str) -> list[tuple[str, str]]:
    """A name and what there is to say, targets in the plan's order; without what is not known."""
    found = []
    for kind in kinds_of(results, scenario):
        curves = results.curves_of(scenario, kind)
        found += [
            ("Capacity", _each(map(_capacity, curves))),
            (f"p99 within {results.plan.slo_ms:g} ms", _each(_objectives(curves))),
            ("Crossover", _each(_crossovers(results, scenario, kind))),
            ("What bounds it", _each(map(_law, curves))),
            ("Scaling (USL)", _scaling(curves)),
            ("Requests per CPU second", _per_cpu_s(results, scenario, kind)),
        ]
    return [(name, said) for name, said in found if said]


def _each(said: Iterable[str]) -> str:
    return "; ".join(filter(None, said))


def _capacity(curve: Curve) -> str:
    """The most good answers a second; estimates are compared, so that noise may move the load."""
    if not (best := curve.capacity):
        return ""
    rate = f"{style.number(best.throughput_rps.estimate)} requests/s{_bounds(best.throughput_rps)}"
    at = span("closed", [best.value])
    return f"{curve.target} {rate} at {at}, {_beyond(curve, best)}"


def _beyond(curve: Curve, best: Capacity) -> str:
    beyond = [point for point in curve.points if point.value > best.value]
    if not beyond:
        return "the highest load tried"
    if best.at_edge:
        return "beyond which nothing is known"
    if all(point.status == "collapsed" for point in beyond if point.status != "void"):
        return "beyond which it stops answering"
    return "and no more with more users"


def _objectives(curves: Sequence[Curve]) -> Iterable[str]:
    """Targets with the same highest load together."""
    alike: dict[str, list[str]] = {}
    for curve in curves:
        if curve.objective:
            met = _objective(curve.load_kind, curve.objective)
            alike.setdefault(met, []).append(curve.target)
    return [f"{listed(targets)} {met}" for met, targets in alike.items()]


def _objective(kind: LoadKind, met: Objective) -> str:
    if met.until == "not known" and met.missed is not None:
        missed = f"missed at {span(kind, [met.missed])}, not known"
        if met.value is None:
            return f"{missed} below"
        return f"up to {span(kind, [met.value])}, {missed} between"
    if met.value is None:
        return NOWHERE[met.until]
    return f"up to {span(kind, [met.value])}{UNTIL[met.until]}"


def _crossovers(results: Results, scenario: str, kind: LoadKind) -> Iterable[str]:
    """By the decisive metric, of pairs that are not one target twice."""
    metric = results.decisive(scenario, kind)
    twice = {c.candidate for c in results.compared(scenario, kind, metric) if c.same}
    for found in results.crossovers:
        wanted = (found.scenario, found.load_kind, found.metric) == (scenario, kind, metric)
        if wanted and found.candidate not in twice:
            by = "" if metric == "throughput" else f" (by {NAMES[metric]})"
            yield f"{_crossover(results, found)}{by}"


def _crossover(results: Results, found: Crossover) -> str:
    pair = [found.candidate, found.baseline]
    if found.found == "not known":
        return f"none seen: nowhere is {pair[1]} or {pair[0]} shown to be ahead"
    if found.found == "none":
        return f"none, {found.ahead} is ahead wherever a difference is shown"
    one, other = pair if found.found == "crossover" else pair[::-1]
    if found.at:
        return (
            f"{one} overtakes {other} at {about(found.load_kind, found.at, found.low, found.high)}"
        )
    if found.low is None or found.high is None:
        return f"{one} overtakes {other}"
    between = span(found.load_kind, [round(found.low), round(found.high)])
    compared = results.compared(found.scenario, found.load_kind, found.metric, found.candidate)
    fell = next((c for c in compared if c.load.value == round(found.high) and c.survivor), None)
    who = other if fell and fell.survivor == one else "one of the two"
    return f"{one} overtakes {other} at {between}, where {who} stops answering"


def _law(curve: Curve) -> str:
    """The least of the bounds at the load of the capacity, beside what was measured there."""
    if not (curve.law and curve.capacity):
        return ""
    users = curve.capacity.value
    bound = min(curve.law.bounds, key=lambda b: b.rps * users if b.by == "users" else b.rps)
    predicted = bound.rps * users if bound.by == "users" else bound.rps
    measured = curve.capacity.throughput_rps.estimate
    return (
        f"{curve.target} bounded by {_bound(bound, users, curve.law.service_ms)} ="
        f" {style.number(predicted)} requests/s, measured {style.number(measured)}"
        f" ({_off(measured / predicted, curve.law.threads_full)})"
    )


def _bound(bound: Bound, users: int, service_ms: float) -> str:
    service = f"{style.number(service_ms)} ms"
    if bound.by == "cpu":
        cores = round(bound.rps * bound.limit / 1e3)
        return f"{cores} core{'s' if cores > 1 else ''} / {style.number(bound.limit)} ms of CPU"
    if bound.by == "users":
        return f"{span('closed', [users])} / {service}"
    return f"{bound.limit:.0f} {bound.by} / {service}"


def _off(ratio: float, threads: int | None) -> str:
    """Threads that are all in use answer less than predicted if they are held for longer than an
    answer takes: by what goes on after it, for example."""
    percent = round(100 * (ratio - 1))
    if not percent:
        return "as predicted"
    limit = "something else is the limit"
    if threads:
        limit = f"all {threads} threads are in use, some of them for longer than an answer takes"
    elsewhere = f": {limit}" if ratio < REACHED else ""
    return f"{abs(percent)} % {'more' if percent > 0 else 'less'}{elsewhere}"


def _scaling(curves: Sequence[Curve]) -> str:
    fitted = [f"{c.target} {_usl(c.law.usl)}" for c in curves if c.law and c.law.usl]
    return f"{'; '.join(fitted)}. {USL}" if fitted else ""


def _usl(usl: Usl) -> str:
    return (
        f"contention {_percent(usl.contention)}, coherency {_percent(usl.coherency)},"
        f" R² {usl.r2:.2f}, fitted to {span('closed', [usl.low, usl.high])}"
    )


def _percent(share: float) -> str:
    """Two digits; what is less than a thousandth of a percent is nothing."""
    percent = 100 * share
    if percent < 1e-3:
        return "0 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _per_cpu_s(results: Results, scenario: str, kind: LoadKind) -> str:
    """At the highest load at which it is known of all targets."""
    curves = results.curves_of(scenario, kind)
    for points in reversed(list(zip(*(curve.points for curve in curves), strict=True))):
        rates = [point.per_cpu_s for point in points if point.per_cpu_s]
        if len(rates) == len(curves):
            at = span(kind, [points[0].value])
            figures = [
                f"{curve.target} {style.number(rate.estimate)}"
                for curve, rate in zip(curves, rates, strict=True)
            ]
            ratios = _cpu_ratios(results, scenario, kind, points[0].value)
            return "; ".join([f"at {at} {', '.join(figures)}", *ratios])
    return ""


def _cpu_ratios(results: Results, scenario: str, kind: LoadKind, load: int) -> Sequence[str]:
    return [
        f"{c.candidate} / {c.baseline} {c.ratio.estimate:.2f}×"
        + (f" ({style.bounds(c.ratio)})" if style.bounds(c.ratio) else "")
        for c in results.compared(scenario, kind, "per_cpu_s")
        if c.load.value == load and c.ratio
    ]


def _bounds(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({style.number(estimate.low)} to {style.number(estimate.high)})"
