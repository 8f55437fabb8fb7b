"""Errors beside a measurement end no run: a remark says what is missing, and why."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from tests.support import factories, runs
from tests.support.faults import BOOM, FULL_DISK, raising
from twinbench import run
from twinbench.analyse import run as analysis
from twinbench.analyse.run import analyse, analyse_cell
from twinbench.measure.rig import Rig
from twinbench.measure.server import ServerFailedError
from twinbench.plan import Cell
from twinbench.remarks import reason
from twinbench.report import write
from twinbench.report.charts import figure_of
from twinbench.report.elements import Chart
from twinbench.report.view import build_view
from twinbench.report.write import write_report
from twinbench.store import CellRecord, Store, StoreError


def made(folder: Path) -> Store:
    return runs.write_run(folder, factories.plan(), lambda cell: runs.steady(cell, 1000))


def test_a_cell_without_telemetry_is_valid_and_remarked(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        if cell.number < 3:
            record.server_cpu_s, record.remarks = None, ["no telemetry"]
        return record, requests

    results = analyse(runs.write_run(tmp_path, factories.plan(), make))
    assert results.remarks == ["2 of 12 measurements: no telemetry"]
    first = results.cells[0]
    assert (first.status, first.reasons) == ("valid", ["no telemetry"])
    assert (first.server_cpu, first.server_cpu_ms, first.per_cpu_s) == (None, None, None)


@pytest.mark.parametrize(
    "error", [BOOM, ServerFailedError("it died"), StoreError("no"), pl.exceptions.ComputeError("x")]
)
def test_a_self_check_that_fails_is_a_remark(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    store = made(tmp_path / "runs")
    monkeypatch.setattr(run, "run_self_check", raising(error))
    run._self_check(store, cast("Rig", None), tmp_path / "runs", Console(soft_wrap=True))
    [remark] = store.manifest().remarks
    assert remark.startswith("no self-check")
    assert remark.endswith(reason(error))
    assert capsys.readouterr().out == f"Remark: {remark}\n"
    assert remark in analyse(store).remarks


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FULL_DISK])
def test_neither_an_interrupt_nor_a_full_disk_is_a_remark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException
) -> None:
    store = made(tmp_path / "runs")
    monkeypatch.setattr(run, "run_self_check", raising(error))
    with pytest.raises(type(error)):
        run._self_check(store, cast("Rig", None), tmp_path / "runs", Console())
    assert store.manifest().remarks == []


def fail_third(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """The records of cell 3 make the analysis raise."""
    real = analyse_cell

    def fail(record: CellRecord, *rest: Any) -> Any:
        if record.number == 3 and record.outcome == "done":
            raise BOOM
        return real(record, *rest)

    monkeypatch.setattr(analysis, "analyse_cell", fail)


def truncate_third(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    os.truncate(store.folder / "cells" / "0003" / "requests.parquet", 10)


@pytest.mark.parametrize("spoil", [fail_third, truncate_third])
def test_a_cell_that_cannot_be_analysed_is_invalid(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    spoil: Callable[[pytest.MonkeyPatch, Store], None],
) -> None:
    store = made(tmp_path)
    spoil(monkeypatch, store)
    results = analyse(store)
    assert [cell.id for cell in results.cells if cell.status != "valid"] == [3]
    assert results.cells[2].reasons[0].startswith("cannot be analysed: ")
    assert results.remarks == [f"measurement 3 {results.cells[2].reasons[0]}"]
    assert write_report(build_view(results), tmp_path, lambda _: None).exists()


def test_a_cell_without_readable_telemetry_is_valid(tmp_path: Path) -> None:
    store = made(tmp_path)
    (store.folder / "cells" / "0003" / "telemetry.parquet").write_bytes(b"PAR1")
    results = analyse(store)
    assert {cell.status for cell in results.cells} == {"valid"}
    assert results.cells[2].reasons[0].startswith("telemetry is missing: ")
    assert results.remarks[0].startswith(
        f"1 of {len(results.cells)} measurements: telemetry is missing: "
    )


@pytest.mark.parametrize("part", ["comparisons", "timelines", "claims"])
def test_a_part_that_cannot_be_made_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str
) -> None:
    monkeypatch.setattr(analysis, part, raising(BOOM))
    results = analyse(made(tmp_path))
    assert getattr(results, part) == []
    assert len(results.remarks) == 1
    assert results.remarks[0].endswith(": RuntimeError: boom")
    page = write_report(build_view(results), tmp_path, lambda _: None).read_text()
    assert results.remarks[0] in page


def test_a_chart_that_cannot_be_drawn_is_a_box(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    view = build_view(analyse(made(tmp_path)))
    broken, *others = [chart.name for chart in view.charts]

    def draw(chart: Chart) -> Figure:
        if chart.name == broken:
            raise BOOM
        return figure_of(chart)

    monkeypatch.setattr(write, "figure_of", draw)
    remarks: list[str] = []
    page = write_report(view, tmp_path, lambda _: None, remarks.append).read_text()
    [remark] = remarks
    assert remark.startswith(f"chart {broken} could not be drawn: RuntimeError: boom")
    assert page.count(f'<p class="missing">Chart {broken} could not be drawn: ') == 1
    assert page.count('class="missing"') == 1
    assert remark in page
    assert {path.stem for path in (tmp_path / "charts").glob("*.svg")} == set(others)
    assert remark.split(":")[0] in (tmp_path / "report.md").read_text()
