"""Run folders that are not what they should be are refused with one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests import runs
from twinbench.analyse.run import analyse
from twinbench.measure.driver import _join
from twinbench.plan import Cell
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


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: changed(run / "manifest.json", format=99), "not of this version"),
        (lambda run: changed(run / "manifest.json", sessions=[]), "not of this version"),
        (lambda run: cell(run, scenario="another"), "cell 1 is not of its plan: another, "),
        (lambda run: cell(run, number=2), "cell 2 is not of its plan"),
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


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda run: rows(
                run / "cells" / "0001" / "requests.parquet",
                lambda found: found.with_columns(pl.col("done_ns").cast(pl.String)),
            ),
            "not of this version of twinbench (done_ns is String)",
        ),
        (
            lambda run: rows(
                run / "cells" / "0001" / "telemetry.parquet", lambda found: found.drop("cpu_s")
            ),
            "telemetry.parquet: cannot be read",
        ),
    ],
)
def test_rows_that_are_strange_void_their_cell(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    store = written(tmp_path)
    spoil(store.folder)
    results = analyse(Store.open(store.folder))
    assert [cell.id for cell in results.cells if cell.status == "void"] == [1]
    assert said in results.cells[0].reasons[0]
    [remark] = results.remarks
    assert said in remark
    assert "\n" not in remark


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
