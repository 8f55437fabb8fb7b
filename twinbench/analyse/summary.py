"""Summary of a run: the model of summary.json, all that the index of runs needs of it.

results.json has megabytes, and an index is made of hundreds of runs.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from twinbench.analyse.results import Curve, Estimate, Metric, Results, VersionVerdict
from twinbench.analyse.settings import GIVEN, Keys, settings
from twinbench.models import MAX_FIGURE, Amount, FrozenModel, Number
from twinbench.plan import Load, Scenario, Target
from twinbench.text import labels
from twinbench.versions.result import ComparedVersions

SUMMARY = "summary.json"
LONGEST_VALUE = 40  # characters; of a longer one the hash is kept, which shows that it changed
HASHED = "sha256:"
Positive = Annotated[float, Field(allow_inf_nan=False, ge=1 / MAX_FIGURE, le=MAX_FIGURE)]


class KeyFigure(FrozenModel):
    """Figure of one target that is followed from run to run, with its 95 % interval.

    By `throughput` (requests/s), the highest one of the closed loads, at `load`; by `p99` (ms),
    that at an open load. `blocks` are the valid ones.
    """

    target: str
    load: Load
    metric: Metric
    value: Positive
    low: Positive | None = None
    high: Positive | None = None
    blocks: Number


class ScenarioSummary(FrozenModel):
    """Scenario of a run. `targets`: titles by name; `conditions`: its keys in the plan."""

    name: str
    title: str
    targets: dict[str, str]
    conditions: dict[str, str]
    figures: list[KeyFigure]


class Summary(FrozenModel):
    """summary.json.

    `measured` measurements are `valid`, collapsed or invalid; `missing` were not made. `pythons`
    are the versions that the targets ran on. `conditions`: what decides a figure beside the
    scenario, by name: keys of the plan, settings of the machine, versions of packages. `verdict`:
    of a run that compares versions.
    """

    format: Literal[1] = 1
    plan: str
    started: AwareDatetime
    elapsed_s: Amount
    headline: str
    blocks: Number
    measured: Number
    valid: Number
    collapsed: Number
    missing: Number
    cpu: str
    cores: Number
    pythons: list[str]
    conditions: dict[str, str]
    scenarios: list[ScenarioSummary]
    compared_versions: ComparedVersions | None = None
    verdict: VersionVerdict | None = None


def summarize(results: Results, headline: str, verdict: VersionVerdict | None = None) -> Summary:
    counts = Counter(cell.status for cell in results.cells)
    plan, machine, conditions = results.plan, results.machine, settings(results)
    del conditions["plan", "slo_ms"]  # it changes no key figure
    pythons = (results.version("python", target.name) for target in plan.targets)
    return Summary(
        plan=plan.name,
        started=datetime.fromisoformat(results.timing.started),
        elapsed_s=results.timing.elapsed_s,
        headline=headline,
        blocks=plan.blocks,
        measured=len(results.cells),
        valid=counts["valid"],
        collapsed=counts["collapsed"],
        missing=results.missing_cells,
        cpu=machine.cpu,
        cores=machine.cores,
        pythons=list(dict.fromkeys(filter(None, pythons))),
        conditions=_texts({k: v for k, v in conditions.items() if k[0] != "scenarios"}),
        scenarios=[_scenario(results, each, conditions) for each in plan.scenarios],
        compared_versions=results.compared_versions,
        verdict=verdict,
    )


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return what differs between the conditions of two runs: `versions.fastapi 0.115 → 0.116`."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    # A target that one of them does not have is one change, not one for each of its keys.
    parts = tuple(f"{name}." for name in names if GIVEN in (before.get(name), after.get(name)))
    names = [name for name in names if not name.startswith(parts)]
    return [_change(name, before.get(name, "–"), after.get(name, "–")) for name in names]


def _change(name: str, before: str, after: str) -> str:
    hashed = before.startswith(HASHED) or after.startswith(HASHED)
    return f"{name} changed" if hashed else f"{name} {before} → {after}"


def _scenario(
    results: Results, scenario: Scenario, conditions: Mapping[Keys, str]
) -> ScenarioSummary:
    plan = results.plan
    own = {
        path[2:]: text
        for path, text in conditions.items()
        if path[:2] == ("scenarios", scenario.name) and path[2:]
    }
    targets = list(map(plan.target, plan.targets_of(scenario)))
    of = [curve for curve in results.curves if curve.scenario == scenario.name]
    return ScenarioSummary(
        name=scenario.name,
        title=_titles(plan.scenarios)[scenario.name],
        targets=_titles(targets),
        conditions=_texts(own),
        figures=[figure for curve in of for figure in _figures(curve)],
    )


def _titles(named: Sequence[Scenario | Target]) -> dict[str, str]:
    """Return titles by name, with the note where another title is the same."""
    texts = labels([(each.title or each.name, each.note) for each in named])
    return {each.name: text for each, text in zip(named, texts, strict=True)}


def _figures(curve: Curve) -> Iterable[KeyFigure]:
    blocks = {point.value: point.blocks for point in curve.points}
    found: list[tuple[Metric, int, Estimate | None]] = [
        ("p99", point.value, point.p99_ms)
        for point in curve.points
        if curve.load_kind == "open" and point.status == "valid"
    ]
    if capacity := curve.capacity:
        found.append(("throughput", capacity.value, capacity.throughput_rps))
    for metric, value, estimate in found:
        if estimate:
            yield KeyFigure(
                target=curve.target,
                load=Load(curve.load_kind, value),
                metric=metric,
                value=estimate.estimate,
                low=_bounded(estimate.low),
                high=_bounded(estimate.high),
                blocks=blocks[value],
            )


def _bounded(bound: float | None) -> float | None:
    """Return an end of an interval, which with two blocks may be beyond all figures."""
    return None if bound is None else min(max(bound, 1 / MAX_FIGURE), MAX_FIGURE)


def _texts(values: Mapping[Keys, str]) -> dict[str, str]:
    """Return each value by the name of its key; of a long one its hash."""
    return {
        ".".join(path): text
        if len(text) <= LONGEST_VALUE
        else HASHED + hashlib.sha256(text.encode()).hexdigest()[:16]
        for path, text in values.items()
    }
