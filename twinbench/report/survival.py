"""Who stops answering, and who goes on where the other does not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from twinbench.analyse.results import CellResult, Curve, Results
from twinbench.plan import LoadKind
from twinbench.report.kinds import KINDS
from twinbench.report.sentences import cut, listed, stretch


@dataclass(frozen=True)
class Fall:
    """In one scenario, under loads of one kind: `fallen` stop answering at these loads, `standing`
    answer in every block. The rest is not known."""

    scenario: str
    kind: LoadKind
    tried: list[int]
    fallen: tuple[str, ...]
    standing: tuple[str, ...]
    loads: list[int] = field(default_factory=list)

    def cells(self, results: Results, targets: tuple[str, ...]) -> list[CellResult]:
        """The measurements of `targets` at these loads that are not void."""
        return [
            cell
            for cell in results.cells
            if (cell.scenario, cell.load.kind) == (self.scenario, self.kind)
            and cell.target in targets
            and cell.load.value in self.loads
            and cell.status != "void"
        ]


def falls(results: Results) -> list[Fall]:
    """In the plan's order; loads with the same outcome together."""
    return [
        fall
        for scenario in results.plan.scenarios
        for kind in KINDS
        for fall in _falls(results.curves_of(scenario.name, kind))
    ]


def _falls(curves: list[Curve]) -> list[Fall]:
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], Fall] = {}
    tried = [point.value for point in curves[0].points] if curves else []
    for n, load in enumerate(tried):
        there = {curve.target: curve.points[n] for curve in curves}
        fallen = tuple(name for name, point in there.items() if point.collapsed)
        standing = tuple(name for name, point in there.items() if point.status == "valid")
        if fallen:
            fall = Fall(curves[0].scenario, curves[0].load_kind, tried, fallen, standing)
            found.setdefault((fallen, standing), fall).loads.append(load)
    return list(found.values())


def alike(results: Results) -> list[list[Fall]]:
    """What one sentence says: falls with the same outcome."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Fall]] = {}
    for fall in falls(results):
        found.setdefault((fall.fallen, fall.standing), []).append(fall)
    return list(found.values())


def survival(results: Results, group: Sequence[Fall], *, brief: bool) -> str:
    """What falls with the same outcome say, without a full stop. `brief`: where all cells stop they
    are not counted."""
    fallen, standing = group[0].fallen, group[0].standing
    where = cut([_where(results, fall, brief) for fall in group])
    stop = "stops" if len(fallen) == 1 else "stop"
    goes = "goes" if len(standing) == 1 else "go"
    after = f", where {listed(standing)} {goes} on" if standing else ""
    return f"{listed(fallen)} {stop} answering in {where}{after}"


def _where(results: Results, fall: Fall, brief: bool) -> str:
    cells = fall.cells(results, fall.fallen)
    times = sum(cell.status == "collapsed" for cell in cells)
    # That some went on is never left out.
    counted = "" if brief and times == len(cells) else f" ({times} of {len(cells)} cells)"
    return f"{fall.scenario} {stretch(fall.kind, fall.tried, fall.loads)}{counted}"
