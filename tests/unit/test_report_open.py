"""How open loads, calibration and what a server lacked are shown."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from tests import runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.findings import Calibration, Check, Item, Picture, Series
from twinbench.plan import Cell, LoadKind
from twinbench.report import instrument, words
from twinbench.report.causes import causes
from twinbench.report.charts import curve_figure, overview_figure, picture_figure, ratio_figure
from twinbench.report.kinds import KINDS
from twinbench.report.markdown import markdown
from twinbench.report.tables import overview_rows, scenario_header, scenario_rows
from twinbench.report.verdicts import summary
from twinbench.report.write import write_report
from twinbench.store import CellRecord

CHECK = Check(what="slope", unit="", measured=1.002, expected=1, low=0.995, high=1.005)
PICTURE = Picture(
    title="Fixed delays",
    x_label="asked (ms)",
    y_label="read (ms)",
    log_x=True,
    series=[
        Series(name="read", kind="points", x=[1, 10], y=[1.3, 10.3]),
        Series(name="theory", kind="line", x=[1, 10], y=[1, 10]),
    ],
)
PASSED = Item(
    number=2, name="delays", verdict="PASS", said="As asked.", checks=[CHECK], picture=PICTURE
)
FAILED = Item(
    number=3,
    name="a queue",
    verdict="FAIL",
    said="Off.",
    checks=[CHECK.model_copy(update={"measured": 1.01})],
)
SKIPPED = Item(number=10, name="wrk", verdict="SKIP", said="wrk is not installed.")


def made(tmp_path: Path, calibrated: Calibration | None = None, **loads: list[int]) -> Results:
    """sync answers in 4 ms and async in 2; sync stops answering at 3,000 requests/s."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if cell.load.kind == "closed":
            return runs.steady(cell, 1000)
        requests = runs.arrivals(cell.load.value, 4 if cell.target == "sync" else 2)
        if cell.target == "sync" and cell.load.value == 3000:
            return runs.record(cell, outcome="collapsed", unanswered=90), requests
        return runs.record(cell), requests

    scenario = {"name": "noop", "kind": "cpu", "requests": [{"path": "/"}]} | loads
    plan = runs.plan(scenarios=[scenario])
    return analyse(runs.write_run(tmp_path, plan, make, calibrated=calibrated))


def ticks(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


@pytest.mark.parametrize(
    ("kind", "label", "loads"),
    [("closed", "users", ["1", "8"]), ("open", "requests/s offered", ["100", "1000"])],
)
def test_the_two_kinds_of_load_never_share_an_axis(
    tmp_path: Path, kind: LoadKind, label: str, loads: list[str]
) -> None:
    results = made(tmp_path, closed=[1, 8], open=[100, 1000])
    for figure in (
        curve_figure(results, "noop", kind, "p50"),
        ratio_figure(results, "noop", kind),
    ):
        assert (figure.axes[0].get_xlabel(), ticks(figure)) == (label, loads)


def test_in_the_overview_users_are_columns_and_rates_stand_in_the_tiles(tmp_path: Path) -> None:
    """Each scenario has rates of its own, which would make columns with next to nothing in them."""
    results = made(tmp_path, closed=[1, 8], open=[100, 1000])
    closed, opened = (overview_figure(results, kind) for kind in KINDS)
    assert ticks(closed) == ["1", "8"]
    texts = [text.get_text() for text in opened.axes[0].texts]
    assert [text.split("\n")[1] for text in texts] == ["100/s", "1000/s"]


def test_sentences_on_open_loads_speak_of_who_answers_sooner(tmp_path: Path) -> None:
    assert summary(made(tmp_path, open=[100, 2000, 3000]), "noop") == [
        "sync stops answering at 3,000 requests/s (3 of 3 blocks).",
        "async answers sooner at 100 to 2,000 requests/s: its median is 0.51× that of sync.",
        "Not compared by p99 at 100 requests/s: too few samples for a p99 in any block.",
        "async answers sooner at 2,000 requests/s: its p99 is 0.51× that of sync.",
    ]


def test_tables_of_open_loads_hold_rates_and_responses(tmp_path: Path) -> None:
    results = made(tmp_path, open=[100, 3000])
    assert scenario_header(results, "noop", "open")[:3] == [
        "requests/s offered",
        "async / sync, p50",
        "95 %",
    ]
    assert [row[:5] for row in scenario_rows(results, "noop", "open")] == [
        ["100", "0.51× ▲", "0.51 to 0.51", "100", "4.05"],
        ["3000", "async only", "", "stops", ""],
    ]
    assert overview_rows(results, "open")[1] == [["noop", "0.51× ▲", "async only"]]
    assert overview_rows(results, "closed") == (["scenario"], [])


def test_the_survivor_of_an_open_load_stands_where_a_ratio_would(tmp_path: Path) -> None:
    """Of a response time, below 1: the candidate is ahead."""
    results = made(tmp_path, open=[100, 3000])
    [note] = ratio_figure(results, "noop", "open").axes[0].texts
    assert (note.get_text(), note.get_verticalalignment()) == ("async\nonly", "top")


def test_limits_speak_of_the_kinds_of_load_that_were_there(tmp_path: Path) -> None:
    only_closed = words.limits(made(tmp_path / "a", closed=[1]))
    only_open = words.limits(made(tmp_path / "b", open=[100]))
    assert (words.CLOSED_LIMIT in only_closed, words.OPEN_LIMIT in only_closed) == (True, False)
    assert (words.CLOSED_LIMIT in only_open, words.OPEN_LIMIT in only_open) == (False, True)


@pytest.mark.parametrize(("floor_ms", "drawn"), [(3.0, True), (0.5, False)])
def test_the_floor_is_drawn_where_it_is_in_the_picture(
    tmp_path: Path, floor_ms: float, drawn: bool
) -> None:
    results = made(tmp_path, runs.calibration(latency_p50_ms=floor_ms), open=[100, 1000])
    axes = curve_figure(results, "noop", "open", "p50").axes[0]
    bands = [patch for patch in axes.patches if patch.get_hatch()]
    assert len(bands) == drawn
    for band in bands:
        assert band.get_window_extent().ymax == pytest.approx(
            axes.transData.transform((1000, floor_ms))[1]
        )


def test_a_report_holds_both_kinds_and_the_calibration(tmp_path: Path) -> None:
    calibrated = runs.calibration(PASSED, FAILED, SKIPPED)
    results = made(tmp_path, calibrated, closed=[1, 8], open=[100, 1000])
    html = write_report(results, tmp_path, lambda _: None).read_text()
    names = {path.stem for path in (tmp_path / "charts").iterdir()}
    assert names == {
        *("overview", "noop.throughput", "noop.p50", "noop.p99", "noop.ratio"),
        *("noop.spectrum", "noop.time.sync", "noop.time.async"),
        *("overview.open", "noop.open.p50", "noop.open.p99", "noop.open.ratio"),
        *("noop.open.spectrum", "noop.open.time.sync", "noop.open.time.async"),
        "calibration.short.2",
    }
    assert html.count("<svg") == len(names)
    for text in (
        "1 of 3 known answers read right, FAILED: check 3 (a queue), 1 skipped",
        "0.005 beyond",
    ):
        assert text in html
    assert "Calibrated before the run (short form): 1 of 3" in markdown(results)


def test_a_run_without_calibration_says_so(tmp_path: Path) -> None:
    results = made(tmp_path, closed=[1])
    assert instrument.sentence(results).startswith("Not calibrated")
    assert instrument.sentence(results) in markdown(results)


def test_checks_show_bounds_and_margin() -> None:
    assert instrument.rows(PASSED) == [["slope", "1.002", "0.995 to 1.005", "", "0.003 to spare"]]
    assert instrument.rows(FAILED)[0][-1] == "0.005 beyond"
    assert instrument.rows(SKIPPED) == [["wrk is not installed.", "", "", "", ""]]


def test_a_picture_is_drawn_as_it_says() -> None:
    axes = picture_figure(PICTURE).axes[0]
    read, theory = axes.get_lines()
    assert np.asarray(read.get_ydata()).tolist() == [1.3, 10.3]
    assert (read.get_linestyle(), theory.get_linestyle()) == ("None", "-")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == (
        "Fixed delays: read (ms)",
        "asked (ms)",
    )


def test_who_waited_for_what_is_said_at_the_highest_load_that_has_it(tmp_path: Path) -> None:
    """Of collapsed cells, too: there it is the reason. The silence before the end counts."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        if cell.target == "sync" and cell.load.value == 64:
            window = (runs.WINDOW_NS[1] + 10**8, runs.WINDOW_NS[1] + 10**8)
            record = runs.record(cell, outcome="collapsed", unanswered=64, window_ns=window)
        return record, requests

    def look(cell: Cell) -> pl.DataFrame:
        waiting = max(0, cell.load.value - 40 + cell.block) if cell.load.value > 8 else 0
        return runs.telemetry(threads_used=40, threads_waiting=waiting, connections_waiting=0)

    scenario = runs.plan().scenarios[0].model_dump() | {"closed": [8, 48, 64]}
    plan = runs.plan(scenarios=[scenario])
    results = analyse(runs.write_run(tmp_path, plan, make, look=look))
    assert causes(results, "noop") == [
        "sync at 64 users: 40 of 40 threads in use, up to 27 waiting for one.",
        "async at 64 users: 40 of 40 threads in use, up to 27 waiting for one.",
    ]
