"""The result of a run in one line: a headline for pages, a summary for the terminal."""

from collections.abc import Iterable, Sequence

from twinbench.analyse.results import Results
from twinbench.plan import LoadKind
from twinbench.report.elements import Span, VerdictTable
from twinbench.report.facts import collapsed_loads
from twinbench.report.format import (
    interval,
    leader,
    load_text,
    loads_text,
    number,
)
from twinbench.report.pairs import TargetPair, advantage, inverse, strength, title
from twinbench.text import count

MOST_WORDS = 25
VERBS: dict[LoadKind, tuple[str, str]] = {
    "closed": ("served", "the requests of"),
    "open": ("responded", "sooner than"),
}


def headline(results: Results, tables: Sequence[VerdictTable]) -> tuple[Span, ...]:
    """Return the result of a run in at most 25 words, as spans in the colours of the targets."""
    if not results.cells:
        return (Span("Nothing has been measured yet."),)
    if all(cell.status == "invalid" for cell in results.cells):
        number_of = count(len(results.cells), "measurement")
        return (Span(f"No result: {number_of}, none of them valid."),)
    if not tables:
        return (Span(_highest(results)),)
    table = next((t for t in tables if any(row.leads for row in t.rows)), tables[0])
    for places in (True, False):
        spans = [*_leads(table, places), *_collapses(results, places)]
        if len("".join(span.text for span in spans).split()) <= MOST_WORDS:
            break
    if not spans:
        rows = sum(len(each.rows) for each in tables)
        return (Span(f"No difference is shown in {count(rows, 'scenario')}."),)
    return tuple(spans)


def _leads(table: VerdictTable, places: bool) -> Iterable[Span]:
    """For each side the row in which it is better by most, the larger difference first."""
    found = [
        (lead.ratio, lead, group or row.title)
        for group, rows in table.groups
        for row in rows
        for lead in row.leads
        if lead.ratio
    ]
    best = {lead.name: (lead, where) for _, lead, where in sorted(found, key=lambda f: f[0])}
    verbs = {"closed": "serves up to {} the requests of ", "open": "responds up to {} sooner than "}
    verb, end = verbs[table.kind], ""
    for lead, where in sorted(best.values(), key=lambda pair: -(pair[0].ratio or 0))[:2]:
        yield Span(end)
        yield Span(lead.name, lead.side)
        yield Span(f" {verb.format(lead.factor)}")
        yield Span(lead.other, lead.other_side)
        yield Span(f" ({where.lower()})" if places else "")
        verb, end = "up to {} those of " if table.kind == "closed" else verb, "; "
    if best:
        yield Span(". ")


def summary(shown: Sequence[TargetPair]) -> str:
    """Return the largest difference that is shown, in one line; empty without one."""
    decided = [
        (strength(comparison), n, comparison)
        for n, pair in enumerate(shown)
        for comparison in pair.compared
        if comparison.ratio and leader(comparison)
    ]
    if not decided:
        return ""
    _, n, comparison = max(decided, key=lambda one: one[0])
    pair, ahead = shown[n], leader(comparison)
    other = pair.candidate if ahead == pair.baseline.name else pair.baseline
    ratio = advantage(comparison)
    if ratio and ahead == pair.baseline.name:
        ratio = inverse(ratio)
    bounds = f" ({interval(ratio)})" if interval(ratio) else ""
    verb, than = VERBS[pair.kind]
    return (
        f"{pair.title(ahead)} {verb} {strength(comparison):.2f} times{bounds} {than}"
        f" {title(other)} in “{title(pair.scenario)}” at {load_text(comparison.load)}"
    )


def _collapses(results: Results, places: bool) -> Iterable[Span]:
    """Return the collapse at the lowest load: of which target, and where."""
    found = []
    for curve in results.curves:
        if loads := collapsed_loads(curve):
            scenario = results.plan.scenario(curve.scenario)
            side = results.plan.targets_of(scenario).index(curve.target)
            where = scenario.group or title(scenario)
            found.append((curve.load_kind, loads[0], side, curve, where))
    if found:
        _, load, side, curve, where = min(found, key=lambda f: f[:3])
        yield Span(title(results.plan.target(curve.target)), side)
        place = f" ({where.lower()})" if places else ""
        yield Span(f" collapses from {loads_text(curve.load_kind, [load])}{place}.")


def _highest(results: Results) -> str:
    """Of a run that compares nothing: the highest throughput that was measured."""
    known = [(c.capacity.throughput_rps.estimate, c) for c in results.curves if c.capacity]
    if not known:
        return "Nothing is compared: the plan has one target, or open loads only."
    most, curve = max(known, key=lambda pair: pair[0])
    name = title(results.plan.target(curve.target))
    where = title(results.plan.scenario(curve.scenario))
    return f"{name} serves up to {number(most)} requests/s ({where})."
