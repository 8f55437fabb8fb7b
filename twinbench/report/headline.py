"""The result of a run in one sentence of at most 25 words."""

from collections import Counter
from collections.abc import Iterable, Sequence

from twinbench.analyse.results import Results
from twinbench.report.elements import Advantage, Span, VerdictTable
from twinbench.report.facts import loads_of_most, status_cells
from twinbench.report.format import loads_text, number
from twinbench.report.pairs import title
from twinbench.report.sweep import sweep_headline
from twinbench.text import count

MOST_WORDS = 25


def headline(results: Results, tables: Sequence[VerdictTable]) -> tuple[Span, ...]:
    """Return the result of a run as spans in the colours of the targets."""
    if not results.cells:
        return (Span("Nothing has been measured yet."),)
    if all(cell.status == "invalid" for cell in results.cells):
        reasons = Counter(reason for cell in results.cells for reason in cell.reasons)
        often = "".join(f" Most often: {reason}." for reason, _ in reasons.most_common(1))
        cells = count(len(results.cells), "measurement")
        return (Span(f"No result: {cells}, none of them valid.{often}"),)
    if results.sweep:
        return (*sweep_headline(results, results.sweep), *_first_collapse(results, places=False))
    if not tables:
        return (Span(_highest_throughput(results)),)
    table = next((t for t in tables if any(row.advantages for row in t.rows)), tables[0])
    for places in (True, False):
        spans = (*_advantages(table, places), *_first_collapse(results, places))
        if len("".join(span.text for span in spans).split()) <= MOST_WORDS:
            break
    rows = sum(len(each.rows) for each in tables)
    return spans or (Span(f"No difference is shown in {count(rows, 'scenario')}."),)


def _advantages(table: VerdictTable, places: bool) -> Iterable[Span]:
    """Yield the largest advantage of each target, the larger one first, and where it is."""
    largest: dict[str, tuple[float, Advantage, str]] = {}
    for group, rows in table.groups:
        for row in rows:
            for advantage in row.advantages:
                name, ratio = advantage.target.text, advantage.ratio or 0.0
                if ratio > largest.get(name, (0.0,))[0]:
                    largest[name] = ratio, advantage, group.lower() or row.title
    end, before = "", ""
    for _, advantage, where in sorted(largest.values(), key=lambda one: -one[0])[:2]:
        serves = advantage.metric == "throughput"
        verb = "serves up to {} the requests of" if serves else "responds up to {} sooner than"
        if serves and verb == before:
            verb = "up to {} those of"
        yield from (Span(end), advantage.target)
        yield from (Span(f" {verb.format(advantage.factor)} "), advantage.other)
        yield Span(f" ({where})" if places else "")
        before, end = verb, "; "
    if largest:
        yield Span(". ")


def _first_collapse(results: Results, places: bool) -> Iterable[Span]:
    """Yield the collapse at the lowest load, of half of its blocks or more, and where it is."""
    found = []
    for curve in results.curves:
        cells = results.cells_of(curve)
        if loads := loads_of_most(status_cells(cells, "collapsed"), cells):
            scenario = results.plan.scenario(curve.scenario)
            index = results.plan.targets_of(scenario).index(curve.target)
            found.append((curve.load_kind, loads[0], index, curve.target, scenario))
    if found:
        kind, load, index, target, scenario = min(found, key=lambda one: one[:3])
        where = f" ({scenario.group.lower() or title(scenario)})" if places else ""
        yield Span(title(results.plan.target(target)), index)
        yield Span(f" collapses from {loads_text(kind, [load])}{where}.")


def _highest_throughput(results: Results) -> str:
    """Return the highest throughput of a run that compares nothing."""
    known = [(c.capacity.throughput_rps.estimate, c) for c in results.curves if c.capacity]
    if not known:
        return "Nothing is compared: the plan has one target, or open loads only."
    highest, curve = max(known, key=lambda one: one[0])
    target = title(results.plan.target(curve.target))
    where = title(results.plan.scenario(curve.scenario))
    return f"{target} serves up to {number(highest)} requests/s ({where})."
