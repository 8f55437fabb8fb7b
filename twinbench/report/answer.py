"""The answer: `def` or `async def`, for which work, from which load on? In a few sentences.

Made from valid cells and decisions alone. What shows nothing is not said; where nothing at all is
shown, that is said, with the reason.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from twinbench.analyse.results import Results
from twinbench.plan import LoadKind
from twinbench.report.kinds import kinds_of
from twinbench.report.leads import clauses
from twinbench.report.sentences import MOST_NAMES, seen_from, stretch, unshown
from twinbench.report.spared import spared
from twinbench.report.standings import Standing, families, standings
from twinbench.report.survival import alike, survival
from twinbench.report.verdicts import alone

# SQLite is no waiting: its routes fill the core. What a route costs that does nothing is the
# framework's.
WORK = {
    "io": "IO (waiting, databases)",
    "cpu": "CPU (computing, and the framework alone)",
    "mixed": "Mixed",
}
# An interval of a ratio without a word on it.
BARE = re.compile(r"\((?=\d+\.\d\d to )")
# Of a run that compares nothing: more are in the sections.
MOST_ALONE = 4


@dataclass(frozen=True)
class Said:
    """A sentence, the `cells` that show it (their ids), and the scenario it is about, if one."""

    text: str
    scenario: str | None
    cells: list[int]


def answer(results: Results, names: int = MOST_NAMES) -> list[Said]:
    """By kind of work, who gets more answered, where, and by how much; who stops answering; who
    answers sooner at equal rates. At least one sentence; with fewer `names` shorter ones."""
    found = standings(results)
    pairs = [standing for standing in found if not standing.same]
    twice = [standing for standing in found if standing.same]
    fell = _fell(results, names < MOST_NAMES)
    if any(standing.told for standing in pairs) or fell:
        closed = _compared(results, pairs, "closed", names)
        opened = _compared(results, pairs, "open", names)
        return _explained([*_alarms(results, twice), *closed, *fell, *opened])
    if known := [standing for standing in twice if standing.told]:
        return [_even(results, standing) for standing in known]
    return [_nothing(results, found)] if found else _alone(results) or [_nothing(results, [])]


def _explained(said: list[Said]) -> list[Said]:
    """Where intervals stand bare, the first of them says what it is."""
    for n, sentence in enumerate(said):
        if BARE.search(sentence.text):
            text = BARE.sub("(95 %: ", sentence.text, count=1)
            return [*said[:n], replace(sentence, text=text), *said[n + 1 :]]
    return said


def _compared(
    results: Results, pairs: Sequence[Standing], kind: LoadKind, names: int
) -> Iterable[Said]:
    for head, group in _groups(results, pairs, kind):
        if said := clauses(results, group, names):
            yield _said(results, f"{head}: {'; '.join(said)}.", group)


def _groups(
    results: Results, pairs: Sequence[Standing], kind: LoadKind
) -> Iterable[tuple[str, list[Standing]]]:
    """What belongs into one sentence. Closed loads of the one pair by kind of work; of several
    pairs (or at equal rates, which are few) all scenarios of a pair."""
    by_pair = families(pairs)
    at_rates = "At equal rates"
    for (baseline, candidate), all_loads in by_pair.items():
        group = [standing for standing in all_loads if standing.kind == kind]
        if len(by_pair) > 1:
            who = f"{baseline} and {candidate}"
            yield (who if kind == "closed" else f"{at_rates}, {who}"), group
        elif kind == "open":
            yield at_rates, group
        else:
            for work, head in WORK.items():
                yield head, [s for s in group if results.plan.scenario(s.scenario).kind == work]


def _fell(results: Results, brief: bool) -> list[Said]:
    """One paragraph: a sentence for each outcome, and whoever is spared it by other settings."""
    sentences, cells, scenarios = [], set[int](), set[str]()
    for group in alike(results):
        others = [one for fall in group for one in spared(results, fall)]
        clauses = [survival(results, group, brief=brief), *(one.said for one in others)]
        sentences.append(f"{'; '.join(clauses)}.")
        scenarios |= {fall.scenario for fall in group} | {one.scenario for one in others}
        cells |= {c.id for f in group for c in f.cells(results, f.fallen + f.standing)}
        cells |= {cell.id for one in others for cell in one.cells(results)}
    about = scenarios.pop() if len(scenarios) == 1 else None
    return [Said(" ".join(sentences), about, sorted(cells))] if sentences else []


def _alarms(results: Results, twice: Sequence[Standing]) -> Iterable[Said]:
    """A/A that shows a difference comes first: it throws doubt on all others."""
    return [_even(results, standing) for standing in twice if standing.ahead]


def _even(results: Results, standing: Standing) -> Said:
    """What came of one target that was measured twice."""
    baseline, candidate = standing.pair
    who = f"{baseline} and {candidate} are one target twice, and in {standing.scenario}"
    hidden = unshown(standing.told)
    text = f"{who} no difference is shown, as it must be{f', {hidden}' if hidden else ''}."
    for target in standing.ahead:
        compared = standing.leads(target)
        where = stretch(standing.kind, standing.tried, [c.load.value for c in compared])
        ratio = seen_from(target, compared[-1]).estimate
        text = (
            f"Mind: {who} {target} is shown to be ahead {where} all the same ({ratio:.2f}×):"
            " elsewhere, too, a difference like that may be noise."
        )
    return _said(results, text, [standing])


def _said(results: Results, text: str, group: Sequence[Standing]) -> Said:
    scenarios = {standing.scenario for standing in group}
    cells = {cell.id for standing in group for cell in standing.cells(results)}
    return Said(text, scenarios.pop() if len(scenarios) == 1 else None, sorted(cells))


def _alone(results: Results) -> list[Said]:
    """Of a run that compares nothing: what each target can do."""
    said = [
        Said(f"{scenario.name}: {sentence}", scenario.name, [c.id for c in cells])
        for scenario in results.plan.scenarios
        for kind in kinds_of(results, scenario.name)
        for curve in results.curves_of(scenario.name, kind)
        if (cells := [c for c in results.cells_of(curve) if c.status == "valid"])
        and (sentence := alone(curve))
    ]
    return said[:MOST_ALONE]


def _nothing(results: Results, found: Sequence[Standing]) -> Said:
    void = [cell for cell in results.cells if cell.status == "void"]
    reasons = Counter(r for standing in found for c in standing.compared for r in c.reasons)
    if not results.cells:
        why = "nothing has been measured yet"
    elif len(void) == len(results.cells):
        example = next((f", for example: {r}" for cell in void for r in cell.reasons), "")
        why = f"all {len(void)} cells are void{example}"
    else:
        why = reasons.most_common(1)[0][0] if reasons else "nothing is compared"
    return Said(f"Nothing can be said: {why}.", None, [])
