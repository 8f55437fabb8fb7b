"""Charts by their data, sentences by known runs, pages by what they load and escape."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tests import runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.report import style, words
from twinbench.report.causes import causes
from twinbench.report.charts import curve_figure, overview_figure, ratio_figure
from twinbench.report.markdown import markdown
from twinbench.report.tables import overview_rows, scenario_header, scenario_rows
from twinbench.report.verdicts import summary
from twinbench.report.write import write_report
from twinbench.store import CellRecord, Store


def made(tmp_path: Path, **plan: object) -> Results:
    """sync twice as fast at 1 user; at 8 it stops answering in two of three blocks."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 2000 if cell.target == "sync" else 1000)
        if cell.target == "sync" and cell.load.value == 8 and cell.block < 3:
            record = runs.record(cell, outcome="collapsed", unanswered=8)
        return record, requests

    return analyse(runs.write_run(tmp_path, runs.plan(**plan), make))


def lines_of(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    return {str(line.get_label()): points_of(line) for line in figure.axes[0].get_lines()}


def blocks_of(figure: Figure) -> list[Line2D]:
    """The dots of each target, and crosses; not the rings around capacities."""
    lines = figure.axes[0].get_lines()
    return [line for line in lines if line.get_linestyle() == "None" and line.get_markersize() < 12]


def points_of(line: Line2D) -> list[tuple[float, float]]:
    xs, ys = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_curve_runs_through_the_estimates_of_each_target(tmp_path: Path) -> None:
    figure = curve_figure(made(tmp_path), "noop", "closed", "throughput")
    lines = lines_of(figure)
    assert [y for _, y in lines["async"]] == pytest.approx([1000, 1000])
    assert [x for x, _ in lines["async"]] == [1, 8]
    assert figure.axes[0].get_xlabel() == "users"
    assert figure.axes[0].get_ylim()[0] == 0


def test_every_block_is_a_dot_and_a_collapse_a_cross(tmp_path: Path) -> None:
    figure = curve_figure(made(tmp_path), "noop", "closed", "throughput")
    dots = {str(line.get_marker()): line for line in blocks_of(figure)}
    assert len(points_of(dots["o"])) == 6
    assert len(points_of(dots["s"])) == 4  # two of six collapsed
    assert dots["X"].get_color() == style.BASELINE
    assert texts_of(figure) == ["stops\n2 of 3"]


def test_void_blocks_are_grey(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.record(cell), runs.answers(1000, cell.load.value, wrong=500)

    results = analyse(runs.write_run(tmp_path, runs.plan(), make))
    figure = curve_figure(results, "noop", "closed", "throughput")
    assert {to_hex(line.get_color()) for line in blocks_of(figure)} == {style.GREY}
    assert {line.get_markerfacecolor() for line in blocks_of(figure)} == {"none"}


def test_the_ratio_chart_shows_ratios_and_who_goes_on(tmp_path: Path) -> None:
    figure = ratio_figure(made(tmp_path), "noop", "closed")
    [points] = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    [(users, ratio)] = np.asarray(points.get_offsets())
    assert users == 1
    assert ratio == pytest.approx(0.5)
    assert "async\nonly" in texts_of(figure)


def test_the_overview_has_a_tile_for_every_load(tmp_path: Path) -> None:
    figure = overview_figure(made(tmp_path), "closed")
    assert texts_of(figure) == ["0.50×", "async\nonly"]
    [tiles] = figure.axes[0].collections
    assert [to_hex(colour) for colour in np.asarray(tiles.get_facecolor())] == [
        style.BASELINE,
        style.CANDIDATE,
    ]


def test_the_sentences_say_what_happened(tmp_path: Path) -> None:
    assert summary(made(tmp_path), "noop") == [
        "sync stops answering at 8 users (2 of 3 blocks).",
        "sync has the higher throughput at 1 user: 2.00×.",
    ]


def test_a_full_core_is_named_with_what_a_request_costs(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        return record.model_copy(update={"server_cpu_s": 0.99}), requests

    results = analyse(runs.write_run(tmp_path, runs.plan(), make))
    assert causes(results, "noop")[-1] == (
        "async fills its core at every load, at 0.99 ms of CPU a request."
    )


def test_where_nothing_can_be_said_nothing_is_said(tmp_path: Path) -> None:
    results = made(tmp_path, blocks=1)
    assert not any("higher throughput" in line for line in summary(results, "noop"))


def test_the_tables_hold_the_figures(tmp_path: Path) -> None:
    results = made(tmp_path)
    assert scenario_rows(results, "noop", "closed") == [
        [
            *("1", "0.50× ▼", "0.50 to 0.50"),
            *("2,000", "0.5", "0.5", "0.5", "0.1"),
            *("1,000", "1", "1", "1", "0.2"),
        ],
        [
            *("8", "async only", ""),
            *("2,000 (stops 2/3)", "4", "4", "4", "0.1"),
            *("1,000", "8", "8", "8", "0.2"),
        ],
    ]
    assert overview_rows(results, "closed") == (
        ["scenario", "1", "8"],
        [["noop", "0.50× ▼", "async only"]],
    )


def test_a_report_is_whole_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    results = made(tmp_path)
    page = write_report(results, tmp_path, lambda _: None)
    html = page.read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", html)
    assert "url(" not in html.replace("url(#", "")
    assert html.count("<svg") == 8
    names = {path.name for path in (tmp_path / "charts").iterdir()}
    own = ("throughput", "p50", "p99", "ratio", "spectrum", "time.sync", "time.async")
    assert names == {"overview.png", "overview.svg", *(f"noop.{name}.svg" for name in own)}
    assert "sync stops answering at 8" in (tmp_path / "report.md").read_text()


def test_equal_results_give_equal_reports(tmp_path: Path) -> None:
    results = made(tmp_path)
    once = write_report(results, tmp_path, lambda _: None).read_bytes()
    assert write_report(results, tmp_path, lambda _: None).read_bytes() == once


def test_what_a_plan_says_is_escaped(tmp_path: Path) -> None:
    scenario = runs.plan().scenarios[0].model_dump()
    scenario["about"] = "<script>alert(1)</script> *bold* [x](y)"
    results = made(tmp_path, scenarios=[scenario])
    assert "<script>alert" not in write_report(results, tmp_path, lambda _: None).read_text()
    assert r"\<script\>alert(1)\</script\> \*bold\* \[x\](y)" in markdown(results)


def test_a_scenario_with_one_target_has_curves_and_no_ratio(tmp_path: Path) -> None:
    scenario = runs.plan().scenarios[0].model_dump() | {"targets": ["async"]}
    results = made(tmp_path, scenarios=[scenario])
    assert results.comparisons == []
    assert summary(results, "noop") == ["async answers up to 1,000 requests a second, at 1 user."]
    assert write_report(results, tmp_path, lambda _: None).exists()


def test_three_targets_make_two_pairs(tmp_path: Path) -> None:
    targets = [{"name": name, "app": f"{name}:app"} for name in ("sync", "async", "third")]

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(cell, {"sync": 1000, "async": 2000, "third": 4000}[cell.target])

    results = analyse(runs.write_run(tmp_path, runs.plan(targets=targets), make))
    assert overview_rows(results, "closed")[1] == [
        ["noop: async", "2.00× ▲", "2.00× ▲"],
        ["noop: third", "4.00× ▲", "4.00× ▲"],
    ]
    assert summary(results, "noop") == [
        "async has the higher throughput at 1 to 8 users: 2.00×.",
        "third has the higher throughput at 1 to 8 users: 4.00×.",
    ]
    assert texts_of(overview_figure(results, "closed")) == ["2.00×", "2.00×", "4.00×", "4.00×"]
    rows = scenario_rows(results, "noop", "closed")
    assert rows[0][1:5] == ["2.00× ▲", "2.00 to 2.00", "4.00× ▲", "4.00 to 4.00"]
    assert len(scenario_header(results, "noop", "closed")) == len(rows[0])
    assert write_report(results, tmp_path, lambda _: None).exists()


def test_a_run_without_cells_has_a_report_that_says_so(tmp_path: Path) -> None:
    store = Store.create(runs.manifest(runs.plan()), tmp_path)
    results = analyse(store)
    assert summary(results, "noop") == [
        "Not compared at 1 to 8 users: no valid cells of sync and async."
    ]
    assert "12 not measured yet" in words.validity(results)
    assert write_report(results, store.folder, lambda _: None).exists()


def test_a_target_that_is_meant_to_differ_is_shown_with_its_reason(tmp_path: Path) -> None:
    targets = [
        {"name": "sync", "app": "a:app"},
        {"name": "async", "app": "b:app", "differs": "it caches <everything>"},
    ]
    results = made(tmp_path, targets=targets)
    assert {comparison.differs for comparison in results.comparisons} == {"it caches <everything>"}
    sentence = "async is meant to differ from its baseline: it caches "
    assert f"- {sentence}\\<everything\\>" in markdown(results)
    html = write_report(results, tmp_path, lambda _: None).read_text()
    assert f"<li>{sentence}&lt;everything&gt;</li>" in html
    assert words.unequal(made(tmp_path / "equal")) == []
