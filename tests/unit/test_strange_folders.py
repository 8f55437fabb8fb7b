"""Run folders that are not what they should be are refused with one sentence."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from tests import runs
from twinbench.analyse.run import analyse
from twinbench.measure.driver import _join
from twinbench.plan import Cell
from twinbench.report.write import write_report
from twinbench.store import CellRecord, Store, StoreError


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def cell(folder: Path, **values: object) -> None:
    changed(folder / "cells" / "0001" / "cell.json", **values)


def rows(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_parquet(path)).write_parquet(path)


def written(folder: Path) -> Store:
    def make(of: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(of, 500)

    store = runs.write_run(folder, runs.plan(), make, look=lambda _: runs.telemetry(cpu_s=0.5))
    assert not analyse(store).remarks
    return store


def column(run: Path, name: str, value: pl.Expr) -> None:
    """Set a column of the first cell's requests, or else of its telemetry."""
    for file in ("requests", "telemetry"):
        path = run / "cells" / "0001" / f"{file}.parquet"
        if name in pl.read_parquet_schema(path):
            rows(path, lambda found: found.with_columns(value.alias(name)))
            return


def picture(run: Path, x: Sequence[float] = (1, 2), title: str = "a", y: float = 1) -> None:
    """Have a calibration with a picture of two points, but for what is given."""
    series = {"name": "a", "kind": "points", "x": list(x), "y": [y, 2]}
    drawn = {"title": title, "x_label": "x", "y_label": "y", "series": [series]}
    item = {"number": 1, "name": "a", "verdict": "PASS", "said": "a", "picture": drawn}
    found = json.loads(runs.calibration().model_dump_json())
    (run / "calibration.json").write_text(json.dumps(found | {"items": [item]}))


DECIMAL, INFINITE = pl.Decimal(38, 2), float("inf")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: changed(run / "manifest.json", format=99), "not of this version"),
        (lambda run: changed(run / "manifest.json", sessions=[]), "not of this version"),
        (lambda run: changed(run / "manifest.json", versions={}), "no version of fastapi, python"),
        (lambda run: cell(run, scenario="another"), "cell 1 is not of its plan: another, "),
        (lambda run: cell(run, number=2), "cell 2 is not of its plan"),
        (
            lambda run: rows(
                run / "cells" / "0001" / "requests.parquet",
                lambda found: found.with_columns(pl.col("done_ns").cast(pl.String)),
            ),
            "not of this version of twinbench (done_ns is String)",
        ),
        (lambda run: column(run, "error", pl.lit(None)), "requests.parquet: not of this version"),
        (lambda run: column(run, "error", pl.col("error").shift()), "(error is null in a row)"),
        (
            lambda run: column(run, "request", pl.col("request").shift()),
            "(request is null in a row)",
        ),
        (lambda run: column(run, "sent_ns", pl.col("done_ns") + 1), "done_ns is before sent_ns"),
        (lambda run: column(run, "sent_ns", -pl.col("sent_ns")), "(sent_ns is negative in a row)"),
        (lambda run: column(run, "done_ns", pl.col("done_ns").cast(DECIMAL)), "done_ns is Decimal"),
        (lambda run: column(run, "done_ns", pl.col("done_ns") * 1.0), "(done_ns is Float64)"),
        (lambda run: column(run, "t_ns", pl.col("t_ns").cast(DECIMAL)), "(t_ns is Decimal"),
        (lambda run: column(run, "t_ns", pl.col("t_ns").shift()), "(t_ns is null in a row)"),
        (lambda run: column(run, "threads_used", pl.lit(INFINITE)), "(threads_used is infinite"),
        (lambda run: column(run, "threads_used", pl.lit("a")), "(threads_used is String)"),
        (lambda run: cell(run, window_ns=[0, 2**70]), "cell.json: not of this version"),
        (
            lambda run: changed(run / "manifest.json", sessions=[{"started": "2026-01-01T00:00"}]),
            "(sessions.0.started: Input should have timezone info)",
        ),
        (lambda run: picture(run, x=[1]), "picture.series.0: 1 values of x, 2 of y"),
        (lambda run: picture(run, y=float("nan")), "(items.0.picture.series.0.y.0: "),
        (lambda run: picture(run, y=1e308), "calibration.json: not of this version"),
        (lambda run: picture(run, title="\x1b[31m"), "(items.0.picture.title: "),
    ],
)
def test_what_is_strange_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    store = written(tmp_path)
    spoil(store.folder)
    with pytest.raises(StoreError) as refused:
        analyse(Store.open(store.folder))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["[a]", "*", "a?"])
def test_a_folder_with_marks_of_a_pattern_is_read(tmp_path: Path, name: str) -> None:
    def make(of: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(of, 500)

    folder = tmp_path / name
    store = runs.write_run(folder, runs.plan(), make, look=lambda _: runs.telemetry(cpu_s=0.5))
    assert analyse(store).cells
    (tmp_path / "ab").mkdir()  # which the names are patterns of
    shares = [folder / "0.parquet", folder / "1.parquet"]
    for share in (*shares, tmp_path / "ab" / "0.parquet"):
        runs.answers(100, 1.0).head(10).write_parquet(share)
    _join(shares, folder / "joined.parquet")
    assert pl.read_parquet(folder / "joined.parquet", glob=False).height == 20


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not in UTF-8; rename the folder"):
        Store(tmp_path / "\udcff")


def test_no_chart_is_written_through_a_link(tmp_path: Path) -> None:
    def make(of: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(of, 500)

    store = runs.write_run(tmp_path / "runs", runs.plan(), make)
    elsewhere, precious = tmp_path / "elsewhere", tmp_path / "precious"
    elsewhere.mkdir()
    precious.write_text("mine")
    charts, page = store.folder / "charts", store.folder / "report.html"
    charts.symlink_to(elsewhere)
    page.symlink_to(precious)
    results = analyse(store)
    write_report(results, store.folder, lambda _: None, None)
    drawn = sorted(charts.iterdir())
    assert drawn
    assert not charts.is_symlink()
    drawn[0].unlink()
    drawn[0].symlink_to(precious)
    write_report(results, store.folder, lambda _: None, None)
    assert not drawn[0].is_symlink()
    assert precious.read_text() == "mine"
    assert list(elsewhere.iterdir()) == []
