"""What is said of several scenarios at once: who is ahead in which of them, and by how much.

Scenarios are counted and named, and the largest difference is given with its interval. They are
never averaged: a mean over different work answers nobody's question.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twinbench.analyse.results import Comparison, Crossover, Estimate, Results
from twinbench.report.kinds import span
from twinbench.report.sentences import (
    MOST_NAMES,
    NAMES,
    about,
    cut,
    listed,
    more,
    seen_from,
    stretch,
    unshown,
)
from twinbench.report.standings import Standing
from twinbench.report.survival import falls


@dataclass(frozen=True)
class Lead:
    """`target` is ahead in one scenario: in these comparisons, `where` among its loads."""

    standing: Standing
    target: str
    where: str
    compared: list[Comparison]

    @property
    def scenario(self) -> str:
        return self.standing.scenario

    @property
    def best(self) -> tuple[Comparison, Estimate]:
        """Where it is the furthest ahead, and its ratio to the other there."""
        ratios = [(c, seen_from(self.target, c)) for c in self.compared]
        return max(ratios, key=lambda found: abs(math.log(found[1].estimate)))

    @property
    def reach(self) -> float:
        return abs(math.log(self.best[1].estimate))


def clauses(results: Results, group: Sequence[Standing], names: int) -> list[str]:
    """Parts of a sentence on standings under loads of one kind; with fewer `names` than
    `MOST_NAMES` in brief: so many scenarios are named, each with its own largest difference; with
    none, they are only counted.
    Those in which somebody stops answering are not said to be unknown."""
    told = [standing for standing in group if standing.told]
    leads = [lead for standing in told for lead in _leads(results, standing)]
    fallen = {fall.scenario for fall in falls(results)}
    silent = [s for s in group if not s.told and s.scenario not in fallen]
    return [
        *_ahead(leads, len(told), names),
        *_level(told, {lead.scenario for lead in leads}, names),
        *_silent(silent),
        *_differing(group),
    ]


def _leads(results: Results, standing: Standing) -> Iterable[Lead]:
    for target in standing.pair:
        if compared := standing.leads(target):
            where = _where(results, standing, target, compared)
            yield Lead(standing, target, where, compared)


def _where(
    results: Results, standing: Standing, target: str, compared: Sequence[Comparison]
) -> str:
    """At which loads; where `target` has overtaken the other and stays ahead, from which on."""
    loads = [comparison.load.value for comparison in compared]
    crossing = _crossing(results, compared[0], target)
    if crossing and crossing.at and loads == standing.tried[-len(loads) :]:
        return f"from {about(standing.kind, crossing.at, crossing.low, crossing.high)} on"
    return stretch(standing.kind, standing.tried, loads)


def _crossing(results: Results, of: Comparison, target: str) -> Crossover | None:
    """Where `target` overtakes the other."""
    found = "crossover" if target == of.candidate else "reverse"
    wanted = (of.scenario, of.load.kind, of.metric, of.candidate, found)
    for c in results.crossovers:
        if (c.scenario, c.load_kind, c.metric, c.candidate, c.found) == wanted:
            return c
    return None


def _ahead(leads: Sequence[Lead], among: int, names: int) -> Iterable[str]:
    """A clause for each side, whoever is ahead more often first, the candidate in a tie."""
    sides = [[lead for lead in leads if lead.target == lead.standing.pair[n]] for n in (1, 0)]
    verb = ""
    for side in sorted(filter(None, sides), key=len, reverse=True):
        verb = "" if verb else f" {_verb(leads, names < MOST_NAMES)}"
        if 0 < names < MOST_NAMES:
            yield f"{_who(side)}{verb} in {_each(side, names)}"
            continue
        count = f"{len(side)} of {among}{' scenarios' if verb else ''}"
        where = _scenarios(_named(side), count, len(side), among, names)
        yield f"{_who(side)}{verb} in {where}: {_by(side, names)}"


def _each(side: Sequence[Lead], names: int) -> str:
    """Scenarios, each with its loads and its largest difference; the largest of all, which comes
    first, with its interval."""
    ordered = sorted(side, key=lambda lead: lead.reach, reverse=True)
    said = []
    for n, lead in enumerate(ordered[:names]):
        ratio = lead.best[1]
        interval = "" if n else f", 95 %: {ratio.low:.2f} to {ratio.high:.2f}"
        said.append(f"{lead.scenario} {lead.where} ({_factor([lead])}{interval})")
    return listed([*said, *more(ordered, names)])


def _verb(leads: Sequence[Lead], brief: bool) -> str:
    """What being ahead is; by the metrics of all."""
    metrics = dict.fromkeys(NAMES[lead.compared[0].metric] for lead in leads)
    if leads[0].standing.kind == "open":
        return f"has the lower {' or '.join(sorted(metrics, reverse=True))}"
    return "answers more a second" if brief else "answers more requests a second"


def _scenarios(named: str, count: str, number: int, among: int, names: int) -> str:
    if among == 1:
        return named
    if names == MOST_NAMES:
        return f"{count} ({named})"
    return named if number <= names else count


def _who(side: Sequence[Lead]) -> str:
    """The name of a side; of variants, all names."""
    first, *others = sorted({lead.target for lead in side}, key=lambda name: (len(name), name))
    return f"{first} (or {', '.join(others)})" if others else first


def _named(side: Sequence[Lead]) -> str:
    """Scenarios with their loads, from the largest difference to the smallest."""
    ordered = sorted(side, key=lambda lead: lead.reach, reverse=True)
    named: dict[str, list[str]] = {}
    for lead in ordered[:MOST_NAMES]:
        named.setdefault(lead.where, []).append(lead.scenario)
    parts = [f"{listed(names)} {where}" for where, names in named.items()]
    return ", ".join([*parts, *more(ordered)])


def _by(side: Sequence[Lead], names: int) -> str:
    """The largest difference, with its interval and where it is."""
    compared, ratio = max(side, key=lambda lead: lead.reach).best
    factor = _factor(side)
    interval = f"{ratio.low:.2f} to {ratio.high:.2f}"
    if names < MOST_NAMES:
        where = f" in {compared.scenario}" if len(side) > names else ""
        return f"{factor}{where} ({interval})"
    at = f"{compared.scenario} at {span(compared.load.kind, [compared.load.value])}"
    unit = "as many" if compared.metric == "throughput" else "the other's"
    return f"{factor} {unit} (95 %: {interval}; {at})"


def _factor(side: Sequence[Lead]) -> str:
    """The largest ratio; that it is the largest is said where there are others."""
    compared, ratio = max(side, key=lambda lead: lead.reach).best
    factor = f"{ratio.estimate:.2f}×"
    if sum(len(lead.compared) for lead in side) == 1:
        return factor
    return f"{'up' if compared.metric == 'throughput' else 'down'} to {factor}"


def _level(told: Sequence[Standing], leading: set[str], names: int) -> Iterable[str]:
    """Not said where nothing is named: it follows from the counts of the others."""
    level = [standing for standing in told if standing.scenario not in leading]
    if not level or (leading and not names):
        return
    named = cut([standing.scenario for standing in level])
    count = f"{len(level)} of {len(told)}" + ("" if leading else " scenarios")
    where = _scenarios(named, count, len(level), len(told), names)
    hidden = unshown([comparison for standing in level for comparison in standing.told])
    brief = names < MOST_NAMES
    yield f"no difference is shown in {where}" + (f", {hidden}" if hidden and not brief else "")


def _silent(silent: Sequence[Standing]) -> Iterable[str]:
    if silent:
        names = cut([standing.scenario for standing in silent])
        why = next((r for s in silent for c in s.compared for r in c.reasons), "not measured yet")
        yield f"nothing can be said of {names} ({why})"


def _differing(group: Sequence[Standing]) -> Iterable[str]:
    pairs = {standing.pair for standing in group if standing.compared[0].differs}
    for baseline, candidate in sorted(pairs):
        yield f"mind that {candidate} and {baseline} are meant to differ"
