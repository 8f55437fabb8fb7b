"""Sweep in a report: heat maps, the cheapest settings, and every output."""

from pathlib import Path

import pytest
from matplotlib.collections import LineCollection, PolyCollection
from rich.console import Console

from tests.support import factories
from tests.support.pages import Parsed
from tests.support.sweeps import AXES, POOL, SYNC, THREADS, sweep_plan, sweep_results
from twinbench.report.charts import figure_of
from twinbench.report.charts.svg import drawing
from twinbench.report.elements import SweepMap, Tile
from twinbench.report.markdown import markdown
from twinbench.report.terminal import show
from twinbench.report.view import ReportView, build_view
from twinbench.report.write import write_report

SLOW_MS = 1000.0
COLLAPSED = ("sync-10-5", 64)


def maps(view: ReportView) -> dict[str, SweepMap]:
    return {chart.name: chart for chart in view.charts if isinstance(chart, SweepMap)}


def tiles(chart: SweepMap) -> dict[tuple[str, str, str], Tile]:
    """Return the tiles by heading, row and column."""
    return {
        (heading, row.label, column): tile
        for heading, rows in chart.groups
        for row in rows
        for column, tile in zip(chart.columns, row.tiles, strict=True)
    }


def throughput(view: ReportView, users: int = 64) -> SweepMap:
    return maps(view)[f"noop-closed.throughput.{users}"]


def p99(view: ReportView, users: int = 64) -> SweepMap:
    return maps(view)[f"noop-closed.p99.{users}"]


def test_each_load_has_a_map_of_throughput_and_of_p99() -> None:
    assert [*maps(build_view(sweep_results()))] == [
        f"noop-closed.{figure}.{users}" for figure in ("throughput", "p99") for users in (8, 64)
    ]


def test_two_settings_are_columns_and_rows() -> None:
    chart = throughput(build_view(sweep_results()))
    assert (chart.x_label, chart.columns) == (THREADS, ("10", "40"))
    assert [[row.label for row in rows] for _, rows in chart.groups] == [
        ["POOL_SIZE=5", "POOL_SIZE=40"]
    ]


def test_one_setting_is_one_row() -> None:
    plan = sweep_plan(sweep={"env": {THREADS: [10, 40]}})
    [(heading, [row])] = throughput(build_view(sweep_results(plan))).groups
    assert (heading, row.label, len(row.tiles)) == ("", "", 2)


def test_a_third_setting_and_targets_are_groups() -> None:
    other = SYNC | {"name": "other"}
    plan = sweep_plan(sweep={"env": AXES, "workers": [1, 2]}, targets=[SYNC, other])
    headings = [heading for heading, _ in throughput(build_view(sweep_results(plan))).groups]
    assert headings == [f"{name}, workers={n}" for name in ("sync", "other") for n in (1, 2)]


def test_a_scenario_of_one_target_has_no_headings() -> None:
    other, scenario = SYNC | {"name": "other"}, factories.scenario(closed=[64], targets=["sync"])
    plan = sweep_plan(targets=[SYNC, other], scenarios=[scenario])
    assert [heading for heading, _ in throughput(build_view(sweep_results(plan))).groups] == [""]


def test_a_scenario_without_swept_targets_has_no_maps() -> None:
    other, scenario = SYNC | {"name": "other"}, factories.scenario(closed=[64], targets=["other"])
    sweep = {"targets": ["sync"], "env": AXES}
    plan = sweep_plan(sweep=sweep, targets=[SYNC, other], scenarios=[scenario])
    view = build_view(sweep_results(plan))
    assert not maps(view)
    assert view.sweep[0].rows[0][:2] == ("64", "other")


def test_a_collapse_is_a_text_and_a_hatch() -> None:
    view = build_view(sweep_results(collapsed=[COLLAPSED]))
    for chart in (throughput(view), p99(view)):
        tile = tiles(chart)["", "POOL_SIZE=5", "10"]
        assert (tile.text, tile.known) == ("collapsed\n2 of 3", False)
        assert all(each.known for each in tiles(chart).values() if each is not tile)


def test_tiles_from_threads_and_connections_are_outlined() -> None:
    view = build_view(sweep_results())
    outlined = {key[1:] for key, tile in tiles(throughput(view)).items() if tile.outlined}
    assert outlined == {("POOL_SIZE=5", "10"), ("POOL_SIZE=5", "40"), ("POOL_SIZE=40", "10")}
    assert throughput(view).outline
    assert not throughput(view, 8).outline


def test_p99_within_the_slo_has_a_shade() -> None:
    view = build_view(sweep_results(p99_ms={("sync-10-5", 64): SLOW_MS}))
    found = tiles(p99(view))
    assert (found["", "POOL_SIZE=5", "10"].text, found["", "POOL_SIZE=5", "10"].strength) == (
        "1,000",
        0,
    )
    assert found["", "POOL_SIZE=5", "40"].strength > 0


def test_the_table_has_the_cheapest_of_each_load() -> None:
    [table] = build_view(sweep_results(collapsed=[COLLAPSED])).sweep
    assert [row[:4] for row in table.rows] == [
        ("8", "WORKER_THREADS=10, POOL_SIZE=5", "1", "10 + 5"),
        ("8", "WORKER_THREADS=40, POOL_SIZE=5", "1", "40 + 5"),
        ("8", "WORKER_THREADS=10, POOL_SIZE=40", "1", "10 + 40"),
        ("64", "WORKER_THREADS=40, POOL_SIZE=5", "1", "40 + 5"),
        ("64", "WORKER_THREADS=10, POOL_SIZE=40", "1", "10 + 40"),
        ("64", "WORKER_THREADS=40, POOL_SIZE=40", "1", "40 + 40"),
    ]
    assert [row[-1] for row in table.rows] == ["4 of 4"] * 3 + ["3 of 4"] * 3


def test_the_table_has_a_row_where_no_setting_is_enough() -> None:
    slow = {(f"sync-{threads}-{pool}", 64): SLOW_MS for threads in (10, 40) for pool in (5, 40)}
    [table] = build_view(sweep_results(p99_ms=slow)).sweep
    assert table.rows[-1] == ("64", "none", "", "", "", "", "0 of 4")


def test_the_border_of_the_deadlock_is_beside_the_collapses() -> None:
    view = build_view(sweep_results(collapsed=[COLLAPSED]))
    rows = view.scenarios[0].sections[0].facts.rows
    assert rows[0] == ("WORKER_THREADS=10, POOL_SIZE=5", "15 users", "8 users", "64 users")
    assert rows[-1] == ("WORKER_THREADS=40, POOL_SIZE=40", "80 users", "64 users", "–")


def test_the_headline_names_the_cheapest_setting_and_the_collapse() -> None:
    text = build_view(sweep_results(collapsed=[COLLAPSED])).headline_text
    assert "WORKER_THREADS=40, POOL_SIZE=5." in text
    assert "WORKER_THREADS=10, POOL_SIZE=5 collapses from 64 users." in text


def test_nothing_is_compared_and_no_curve_is_drawn() -> None:
    view = build_view(sweep_results())
    assert not view.verdicts
    assert all(isinstance(chart, SweepMap) for chart in view.charts)
    assert POOL in view.question[0]


def test_the_figure_has_a_hatch_and_an_outline() -> None:
    chart = throughput(build_view(sweep_results(collapsed=[COLLAPSED])))
    with drawing(chart.name):
        figure = figure_of(chart)
    [axes] = figure.axes
    found = axes.collections
    assert {each.get_hatch() for each in found if isinstance(each, PolyCollection)} == {
        None,
        "////",
    }
    [outline] = [each for each in found if isinstance(each, LineCollection)]
    # Around three of four tiles: an L has a circumference of eight sides.
    assert len(outline.get_segments()) == 8
    assert "collapsed\n2 of 3" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("workers", [[1], [1, 2]])
def test_every_output_shows_the_table(tmp_path: Path, workers: list[int]) -> None:
    plan = sweep_plan(sweep={"env": AXES, "workers": workers})
    view = build_view(sweep_results(plan, collapsed=[("sync-10-5-1", 64)]))
    page = Parsed(write_report(view, tmp_path, lambda _: None).read_text())
    ids = {element.attributes.get("id") for element in page.elements}
    assert {"cheapest-noop-closed", "figures-noop-closed"} <= ids
    console = Console(width=120, record=True)
    show(view, console)
    for text in (markdown(view).replace("\\", ""), console.export_text()):
        assert "POOL_SIZE=5" in text
        assert "of 4" in text or "of 8" in text
