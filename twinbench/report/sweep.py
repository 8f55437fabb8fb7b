"""Sweep in a report: heat maps of the settings at each load, and the cheapest that are enough."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

from twinbench.analyse.results import Curve, Point, Results, SweepChoice, SweepResult, SweptTarget
from twinbench.plan import LoadKind, Scenario
from twinbench.plan.sweep import short_names
from twinbench.report.elements import Span, SweepMap, Table, Tile, TileRow
from twinbench.report.format import MISSING, load_text, loads_text, number
from twinbench.report.pairs import KINDS, grouped_scenarios, title
from twinbench.report.scenarios import LoadSection, ScenarioView, point_texts
from twinbench.text import labels, printable

MOST_SETTINGS = 3  # at each load, in the table of the cheapest
# Shares of the highest throughput in a map from which a tile has a stronger colour.
SHARES = (0.5, 0.75, 0.9)
MEETS = 2  # strength of a tile that meets the SLO
SHADE = 1  # the target in whose colour a sweep is
OUTLINE = "outlined: users ≥ threads + connections"
EMPTY = Table("", "", (), ())


def cheapest_tables(results: Results) -> tuple[Table, ...]:
    """Return, for each scenario and kind of load, the cheapest settings that meet the SLO."""
    return tuple(
        _cheapest(results, scenario, kind)
        for scenario in grouped_scenarios(results.plan)
        for kind in KINDS
        if results.sweep and results.curves_of(scenario.name, kind)
    )


def sweep_headline(results: Results, sweep: SweepResult) -> tuple[Span, ...]:
    """Return the cheapest setting at the highest load at which any meets the SLO."""
    slo = f"p99 ≤ {results.plan.slo_ms:g} ms"
    met = [choice for choice in sweep.choices if choice.targets]
    if not met:
        return (Span(f"No setting meets the SLO ({slo}) at any load. "),)
    # Users and rates are no common scale: closed loads first.
    best = max(met, key=lambda choice: (choice.load.kind == "closed", choice.load.value))
    name = title(results.plan.target(best.targets[0]))
    at, where = load_text(best.load), _labels(results)[best.scenario]
    return (Span(f"Cheapest with {slo} at {at} ({where}): {name}. "),)


def sweep_scenario(results: Results, scenario: Scenario, sweep: SweepResult) -> ScenarioView:
    """Return one scenario: heat maps, and a row of figures for each target and load."""
    sections = [
        LoadSection(
            facts=_border(results, scenario, curves, sweep),
            charts=tuple(_Maps(results, sweep, curves).all()),
            figures=_figures(results, scenario, curves, sweep),
            names=EMPTY,
        )
        for kind in KINDS
        if (curves := results.curves_of(scenario.name, kind))
    ]
    return ScenarioView(
        id=f"scenario-{scenario.name}",
        title=title(scenario),
        note=scenario.note,
        about=scenario.about,
        sections=tuple(sections),
    )


# Tables.


def _labels(results: Results) -> dict[str, str]:
    """Return the titles of scenarios by name, with the note where another title is the same."""
    scenarios = results.plan.scenarios
    texts = labels([(title(each), each.note) for each in scenarios])
    return {each.name: text for each, text in zip(scenarios, texts, strict=True)}


def _cheapest(results: Results, scenario: Scenario, kind: LoadKind) -> Table:
    choices = [
        choice
        for choice in (results.sweep.choices if results.sweep else ())
        if (choice.scenario, choice.load.kind) == (scenario.name, kind)
    ]
    curves = {curve.target: curve for curve in results.curves_of(scenario.name, kind)}
    load = "users" if kind == "closed" else "requests/s offered"
    header = (load, "settings", "workers", "threads + connections", "requests/s", "p99 ms", "meet")
    return Table(
        id=f"cheapest-{scenario.name}-{kind}",
        caption=f"{_labels(results)[scenario.name]}: settings with p99 ≤ {results.plan.slo_ms:g} ms"
        " up to a load, cheapest first",
        header=header,
        rows=tuple(row for choice in choices for row in _choice(results, choice, curves)),
        words=True,
    )


def _choice(
    results: Results, choice: SweepChoice, curves: dict[str, Curve]
) -> Iterable[tuple[str, ...]]:
    """Yield the first settings that meet the SLO at one load; or a row that there is none."""
    load, share = f"{choice.load.value:,}", f"{len(choice.targets)} of {len(curves)}"
    if not choice.targets:
        yield load, "none", "", "", "", "", share
    targets = {target.target: target for target in results.sweep.targets} if results.sweep else {}
    for name in choice.targets[:MOST_SETTINGS]:
        point = next(p for p in curves[name].points if p.value == choice.load.value)
        rps = number(point.throughput_rps.estimate if point.throughput_rps else None)
        setting = title(results.plan.target(name))
        yield (
            load,
            setting,
            str(targets[name].workers),
            _limits(targets[name]),
            rps,
            _p99(point),
            share,
        )


def _border(
    results: Results, scenario: Scenario, curves: Sequence[Curve], sweep: SweepResult
) -> Table:
    """Return from how many users each setting may deadlock, beside where it collapsed."""
    by_target = {curve.target: curve for curve in curves}
    found = [
        (target.deadlock_users, by_target[target.target])
        for target in sweep.targets
        if target.deadlock_users is not None and target.target in by_target
    ]
    if not found or curves[0].load_kind != "closed":
        return EMPTY
    return Table(
        id=f"border-{scenario.name}",
        caption="Deadlock: possible by arithmetic (threads + connections), and collapses measured",
        header=("setting", "possible from", "no collapse up to", "collapsed at"),
        rows=tuple(
            (
                title(results.plan.target(curve.target)),
                f"{users} users",
                *_collapses(curve),
            )
            for users, curve in sorted(found, key=lambda each: each[0])
        ),
    )


def _collapses(curve: Curve) -> tuple[str, str]:
    """Return the highest load before the first collapse, and the loads with one."""
    collapsed = [point.value for point in curve.points if point.collapsed]
    first = min(collapsed, default=None)
    before = [p.value for p in curve.points if first is None or p.value < first]
    return (
        loads_text("closed", before[-1:]) if before else MISSING,
        loads_text("closed", collapsed) if collapsed else MISSING,
    )


def _p99(point: Point) -> str:
    """Return the p99 in milliseconds; with too few samples for one, the maximum as its bound."""
    if point.p99_ms or point.max_ms is None:
        return number(point.p99_ms.estimate if point.p99_ms else None)
    return f"≤ {number(point.max_ms)}"


def _limits(target: SweptTarget) -> str:
    """Return worker threads and connections: `40 + 15`; a dash where they are not known."""
    if target.connections is None:
        return MISSING
    return f"{target.threads or MISSING} + {target.connections}"


def _figures(
    results: Results, scenario: Scenario, curves: Sequence[Curve], sweep: SweepResult
) -> Table:
    kind = curves[0].load_kind
    targets = {target.target: target for target in sweep.targets}
    load = "users" if kind == "closed" else "requests/s offered"
    return Table(
        id=f"figures-{scenario.name}-{kind}",
        caption=f"{title(scenario)}: all figures",
        header=(
            *("settings", "threads + connections", load),
            *("requests/s", "p50 ms", "p99 ms", "max ms", "CPU ms/request", "collapsed"),
        ),
        rows=tuple(
            (
                title(results.plan.target(curve.target)),
                _limits(targets[curve.target]),
                f"{point.value:,}",
                *point_texts(point),
                str(point.collapsed or ""),
            )
            for curve in curves
            for point in curve.points
        ),
    )


# Heat maps.


class _Maps:
    """Heat maps of one scenario under one kind of load.

    The first setting gives columns, the second rows; targets and further settings give groups.
    """

    def __init__(self, results: Results, sweep: SweepResult, curves: Sequence[Curve]) -> None:
        self.results, self.sweep, self.curves = results, sweep, curves
        self.kind, self.scenario = curves[0].load_kind, curves[0].scenario
        self.by_target = {curve.target: curve for curve in curves}
        self.x, *others = sweep.axes
        self.y = others[0] if others else ""
        self.names = short_names([*sweep.axes])
        swept = [each for each in sweep.targets if each.values and each.target in self.by_target]
        self.swept = list(dict.fromkeys(each.of for each in swept))

    def all(self) -> Iterable[SweepMap]:
        loads = range(len(self.curves[0].points) if self.swept else 0)
        yield from map(self._throughput, loads)
        yield from map(self._p99, loads)

    def _throughput(self, n: int) -> SweepMap:
        known = [curve.points[n].throughput_rps for curve in self.curves]
        highest = max((found.estimate for found in known if found), default=0.0)

        def tile(point: Point) -> tuple[str, int]:
            rps = point.throughput_rps.estimate if point.throughput_rps else None
            return number(rps), sum((rps or 0) >= share * highest for share in SHARES)

        shades = [(n, f"≥ {share:.0%} of the highest") for n, share in enumerate(SHARES, 1)]
        return self._map(n, "throughput", "Throughput (requests/s)", tile, shades, "less")

    def _p99(self, n: int) -> SweepMap:
        slo_ms = self.results.plan.slo_ms

        def tile(point: Point) -> tuple[str, int]:
            ms = point.p99_ms.estimate if point.p99_ms else point.max_ms
            return _p99(point), MEETS if ms is not None and ms <= slo_ms else 0

        return self._map(
            n, "p99", "p99 (ms)", tile, [(MEETS, f"within {slo_ms:g} ms")], "more, or not known"
        )

    def _map(
        self,
        n: int,
        name: str,
        what: str,
        text_of: Callable[[Point], tuple[str, int]],
        shades: Sequence[tuple[int, str]],
        below: str,
    ) -> SweepMap:
        load = self.curves[0].points[n].value
        groups = tuple(self._groups(n, text_of))
        outlined = any(tile.outlined for _, rows in groups for row in rows for tile in row.tiles)
        return SweepMap(
            name=f"{self.scenario}-{self.kind}.{name}.{load}",
            title=f"{what} at {loads_text(self.kind, [load])}",
            x_label=printable(self.x),
            columns=tuple(map(printable, self.sweep.axes[self.x])),
            groups=groups,
            shades=tuple(shades),
            below=below,
            outline=OUTLINE if outlined else "",
            described_by=f"figures-{self.scenario}-{self.kind}",
        )

    def _groups(
        self, n: int, text_of: Callable[[Point], tuple[str, int]]
    ) -> Iterable[tuple[str, tuple[TileRow, ...]]]:
        """Yield the rows of each target and each combination of further settings."""
        further = [key for key in self.sweep.axes if key not in (self.x, self.y)]
        for of, *chosen in product(self.swept, *(self.sweep.axes[key] for key in further)):
            fixed = dict(zip(further, chosen, strict=True))
            parts = [of] * (len(self.swept) > 1)
            parts += [f"{self.names[key]}={value}" for key, value in fixed.items()]
            rows = []
            for value in self.sweep.axes[self.y] if self.y else [""]:
                of_row = fixed | ({self.y: value} if self.y else {})
                label = f"{self.names[self.y]}={value}" if self.y else ""
                columns = [of_row | {self.x: x} for x in self.sweep.axes[self.x]]
                found = [self._tile(n, of, values, text_of) for values in columns]
                rows.append(TileRow(printable(label), tuple(found)))
            yield printable(", ".join(parts)), tuple(rows)

    def _tile(
        self,
        n: int,
        of: str,
        values: dict[str, str],
        text_of: Callable[[Point], tuple[str, int]],
    ) -> Tile:
        """Return the tile of the target with these values."""
        target = next(t for t in self.sweep.targets if (t.of, t.values) == (of, values))
        curve = self.by_target[target.target]
        point = curve.points[n]
        (text, strength), known = text_of(point), point.status == "valid"
        if not known:
            cells = sum(cell.load.value == point.value for cell in self.results.cells_of(curve))
            collapsed = f"collapsed\n{point.collapsed} of {cells}"
            text, strength = collapsed if point.collapsed else "invalid", 0
        users = point.value if self.kind == "closed" else 0
        return Tile(
            text=text,
            target=SHADE if strength else None,
            strength=strength,
            known=known,
            hover=f"{title(self.results.plan.target(target.target))}: {' '.join(text.split())}",
            outlined=target.deadlock_users is not None and users >= target.deadlock_users,
        )
