"""Interference: a route alone, and the same route beside neighbours that are not timed, at the same
rate. Which scenarios belong together, and their words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from os.path import commonpath
from pathlib import PurePosixPath

from twinbench.analyse.margins import FLOORS
from twinbench.analyse.results import Estimate, Point, Results
from twinbench.plan import Scenario
from twinbench.report import style
from twinbench.report.kinds import span


@dataclass(frozen=True, slots=True)
class Setting:
    """A scenario at an open load of `offered` requests a second, neighbours included."""

    scenario: str
    offered: int

    @property
    def name(self) -> str:
        return self.scenario.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Interference:
    """What is timed comes at `rate` requests a second in all settings."""

    rate: int
    targets: list[str]
    alone: Setting
    beside: list[Setting]

    @property
    def settings(self) -> list[Setting]:
        return [self.alone, *self.beside]


def interferences(results: Results) -> list[Interference]:
    """One for each scenario without neighbours whose requests others time beside neighbours: with
    all of these, at the highest rate that all have, unless less is void at a lower one."""
    scenarios = [scenario for scenario in results.plan.scenarios if scenario.open]
    crowded = [s for s in scenarios if any(request.neighbour for request in s.requests)]
    found = [
        _interference(results, alone, beside)
        for alone in scenarios
        if alone not in crowded and (beside := [s for s in crowded if _timed(s) == _timed(alone)])
    ]
    return [interference for interference in found if interference.beside]


def point_of(results: Results, setting: Setting, target: str) -> Point | None:
    for curve in results.curves_of(setting.scenario, "open"):
        if curve.target == target:
            return next((p for p in curve.points if p.value == setting.offered), None)
    return None


def interference_words(results: Results, found: Interference) -> list[str]:
    """The p99 in each setting, and how many times that alone; who answers sooner there, where that
    is decided."""
    sentences = []
    for setting in found.settings:
        p99s = [
            _p99(results, setting, target) + _against_alone(results, found, setting, target)
            for target in found.targets
        ]
        said = f"{setting.name} ({mix_of(results, found, setting)}), p99: {', '.join(p99s)}"
        sentences.append("; ".join([said, *_ahead(results, setting)]) + ".")
    return sentences


def mix_of(results: Results, found: Interference, setting: Setting) -> str:
    """What comes how often: the load of a setting counts the neighbours in."""
    timed = f"{span('open', [found.rate])} of {_paths(results, found, setting, neighbour=False)}"
    beside = neighbours_of(results, found, setting)
    return f"{timed}, beside {beside}" if beside else timed


def neighbours_of(results: Results, found: Interference, setting: Setting) -> str:
    """Rate and paths of the neighbours; empty without any."""
    paths = _paths(results, found, setting, neighbour=True)
    return f"{setting.offered - found.rate:,}/s of {paths}" if paths else ""


def interference_alt(results: Results, found: Interference) -> str:
    """The p99s and medians of the picture."""
    parts = [
        f"{setting.name}: p99 {_p99(results, setting, target)}"
        f"{_median(point_of(results, setting, target))}"
        for setting in found.settings
        for target in found.targets
    ]
    at = span("open", [found.rate])
    return f"Response times of one route at {at}, alone and beside neighbours. {'; '.join(parts)}."


def _interference(results: Results, alone: Scenario, beside: Sequence[Scenario]) -> Interference:
    """At the rate that most scenarios have; of these, the one with most points that are not void;
    of these, the highest."""
    offered = {scenario.name: _rates(scenario) for scenario in (alone, *beside)}
    targets = results.plan.targets_of(alone)

    def at(rate: int) -> Interference:
        settings = [Setting(name, rates[rate]) for name, rates in offered.items() if rate in rates]
        return Interference(rate, targets, settings[0], settings[1:])

    def tells(rate: int) -> tuple[int, int, int]:
        settings = at(rate).settings
        points = [point_of(results, setting, t) for setting in settings for t in targets]
        return len(settings), sum(bool(p and p.status != "void") for p in points), rate

    return at(max(offered[alone.name], key=tells))


def _timed(scenario: Scenario) -> tuple[str, dict[str, Fraction]]:
    """What is timed: how it arrives, which requests, and how many of them each is."""
    timed = [request for request in scenario.requests if not request.neighbour]
    weight = sum(request.weight for request in timed)
    return scenario.arrivals, {
        request.model_dump_json(exclude={"weight"}): Fraction(request.weight, weight)
        for request in timed
    }


def _rates(scenario: Scenario) -> dict[int, int]:
    """Timed requests a second: all requests a second."""
    timed = sum(request.weight for request in scenario.requests if not request.neighbour)
    share = Fraction(timed, sum(request.weight for request in scenario.requests))
    return {round(rate * share): rate for rate in scenario.open}


def _paths(results: Results, found: Interference, setting: Setting, *, neighbour: bool) -> str:
    """Without the folder that all requests of the picture have in common."""
    requests = {
        scenario.name: scenario.requests
        for scenario in results.plan.scenarios
        if scenario.name in {one.scenario for one in found.settings}
    }
    paths = [r.path.partition("?")[0] for some in requests.values() for r in some]
    folder = commonpath([PurePosixPath(path).parent for path in paths]).rstrip("/") + "/"
    own = [r.path for r in requests[setting.scenario] if r.neighbour == neighbour]
    return " and ".join(dict.fromkeys(path.removeprefix(folder) or path for path in own))


def _p99(results: Results, setting: Setting, target: str) -> str:
    point = point_of(results, setting, target)
    if point and point.status == "collapsed":
        return f"{target} stops answering"
    if point is None or point.p99_ms is None:
        return f"nothing known of {target}"
    return f"{style.number(point.p99_ms.estimate)} ms in {target}"


def _median(point: Point | None) -> str:
    known = point.p50_ms if point and point.status == "valid" else None
    return f", median {style.number(known.estimate)} ms" if known else ""


def _against_alone(results: Results, found: Interference, setting: Setting, target: str) -> str:
    """In brackets: how many times the p99 that it has alone, if both are known well enough."""
    points = [point_of(results, where, target) for where in (setting, found.alone)]
    p99s = [point.p99_ms for point in points if point and point.status == "valid" and point.p99_ms]
    floor_ms = results.calibration.floor.latency_p99_ms if results.calibration else 0.0
    if setting is found.alone or len(p99s) < 2:
        return ""
    if all(p99.estimate < FLOORS * floor_ms for p99 in p99s):
        return " (too near this machine's floor to be compared)"
    return _factor(*p99s)


def _factor(here: Estimate, alone: Estimate) -> str:
    """Said where the intervals do not overlap: stricter than a test of the difference, and needs
    no pairs, which cells of two scenarios are not."""
    if here.low is None or here.high is None or alone.low is None or alone.high is None:
        return ""
    if here.low <= alone.high and alone.low <= here.high:
        return " (no difference from alone shown)"
    return f" ({style.number(here.estimate / alone.estimate)} times that alone)"


def _ahead(results: Results, setting: Setting) -> Iterator[str]:
    for compared in results.compared(setting.scenario, "open", "p99"):
        ahead = style.advantage(compared)
        if compared.load.value == setting.offered and ahead and compared.ratio:
            ratio, behind = compared.ratio.estimate, compared.baseline
            if ahead == compared.baseline:
                ratio, behind = 1 / ratio, compared.candidate
            yield f"{ahead} answers sooner there: its p99 is {ratio:.2f}× that of {behind}"
