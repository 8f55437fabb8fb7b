"""Run folders that are not what they should be are refused with one sentence."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.support import factories, runs
from twinbench.analyse.run import analyse
from twinbench.measure.generator import _join
from twinbench.plan import Cell, cells
from twinbench.report.markdown import markdown
from twinbench.report.view import build_view
from twinbench.report.write import write_report
from twinbench.store import CellRecord, Store, StoreError
from twinbench.text import MAX_CHARACTERS


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def cell(folder: Path, **values: object) -> None:
    changed(folder / "cells" / "0001" / "cell.json", **values)


def rows(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_parquet(path)).write_parquet(path)


def written(folder: Path) -> Store:
    def make(of: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(of, 500)

    store = runs.write_run(
        folder, factories.plan(), make, telemetry=lambda _: runs.telemetry(cpu_s=0.5)
    )
    assert not analyse(store).remarks
    return store


def column(run: Path, name: str, value: pl.Expr) -> None:
    """Set a column of the first cell's requests, or else of its telemetry."""
    for file in ("requests", "telemetry"):
        path = run / "cells" / "0001" / f"{file}.parquet"
        if name in pl.read_parquet_schema(path):
            rows(path, lambda found: found.with_columns(value.alias(name)))
            return


def checks(run: Path, **values: object) -> None:
    """Write a self-check with one check and these `values`."""
    found = json.loads(factories.self_check(factories.check()).model_dump_json())
    check = found["checks"][0] | values
    (run / "selfcheck.json").write_text(json.dumps(found | {"checks": [check]}))


def machine(run: Path, **values: object) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    changed(run / "manifest.json", machine=manifest["machine"] | values)


def floor(run: Path, **values: object) -> None:
    found = json.loads(factories.self_check().model_dump_json())
    (run / "selfcheck.json").write_text(json.dumps(found | {"floor": found["floor"] | values}))


def raw(run: Path, text: str) -> None:
    (run / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))


def telemetry(run: Path) -> Path:
    return run / "cells" / "0001" / "telemetry.parquet"


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink(missing_ok=True)
    make(path)


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


DECIMAL, INFINITE = pl.Decimal(38, 2), float("inf")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: changed(run / "manifest.json", format=99), "not of this version"),
        (lambda run: changed(run / "manifest.json", sessions=[]), "not of this version"),
        (lambda run: changed(run / "manifest.json", versions={}), "no version of fastapi, python"),
        (lambda run: cell(run, scenario="another"), "cell 1 is not of its plan: another, "),
        (lambda run: cell(run, number=2), "cell.json: holds cell 2, which has another folder"),
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
        (
            lambda run: column(run, "threads_used", pl.lit(INFINITE)),
            "(threads_used is not between 0",
        ),
        (lambda run: column(run, "threads_used", pl.lit("a")), "(threads_used is String)"),
        (lambda run: cell(run, window_ns=[0, 2**70]), "cell.json: not of this version"),
        (
            lambda run: changed(run / "manifest.json", sessions=[{"started": "2026-01-01T00:00"}]),
            "(sessions.0.started: Input should have timezone info)",
        ),
        (lambda run: checks(run, measured=float("nan")), "(checks.0.measured: "),
        (lambda run: checks(run, high=1e308), "selfcheck.json: not of this version"),
        (lambda run: column(run, "sent_ns", pl.col("intended_ns") - 1), "sent_ns is before inten"),
        (lambda run: column(run, "t_ns", pl.lit(1)), "(t_ns does not ascend)"),
        (lambda run: column(run, "t_ns", pl.col("t_ns").reverse()), "(t_ns does not ascend)"),
        (
            lambda run: column(run, "loop_lag_ms", pl.lit(float("nan"))),
            "loop_lag_ms is not between",
        ),
        (lambda run: column(run, "threads_used", pl.lit(1e300)), "threads_used is not between 0"),
        (lambda run: column(run, "threads_used", pl.lit(-1)), "threads_used is not between 0"),
        (lambda run: cell(run, window_ns=[2, 1]), "the window has no length"),
        (lambda run: cell(run, window_ns=[1, 1]), "the window has no length"),
        (lambda run: cell(run, server_cpu_s=INFINITE), "(server_cpu_s: "),
        (lambda run: cell(run, server_cpu_s=1e308), "(server_cpu_s: "),
        (lambda run: cell(run, server_memory_mib=-1), "(server_memory_mib: "),
        (lambda run: cell(run, good=10**30), "(good: "),
        (
            lambda run: changed(run / "manifest.json", cells=10**9),
            "the plan has 12 cells, not 1000",
        ),
        (lambda run: machine(run, load_average=float("nan")), "(machine.load_average: "),
        (lambda run: machine(run, memory_gib=1e300), "(machine.memory_gib: "),
        (lambda run: machine(run, threads_per_core=-1), "(machine.threads_per_core: "),
        (lambda run: floor(run, latency_p99_ms=float("nan")), "(floor.latency_p99_ms: "),
        (lambda run: floor(run, lag_p50_ms=-1), "(floor.lag_p50_ms: "),
        (lambda run: raw(run, "[" * 100_000), "manifest.json: not of this version"),
        (lambda run: raw(run, f'{{"cells": {"9" * 5000}}}'), "manifest.json: not of this version"),
        (lambda run: raw(run, "\udcff"), "manifest.json: not of this version"),
        (lambda run: replaced(run / "selfcheck.json", os.mkfifo), "json: not a regular file"),
        (lambda run: replaced(run / "selfcheck.json", Path.mkdir), "json: not a regular file"),
        (lambda run: replaced(run / "selfcheck.json", zero), "selfcheck.json: a link, or"),
        (lambda run: replaced(telemetry(run), os.mkfifo), "parquet: not a regular file"),
        (lambda run: replaced(telemetry(run), zero), "parquet: a link, or behind one"),
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
    assert len(str(refused.value)) <= MAX_CHARACTERS


@pytest.mark.parametrize("name", ["cells", "cells/0001", "cells/0001/requests.parquet"])
def test_figures_of_another_run_are_not_read_through_a_link(tmp_path: Path, name: str) -> None:
    store, other = written(tmp_path / "own"), written(tmp_path / "other")
    path = store.folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(other.folder / name)
    with pytest.raises(StoreError, match="a link, or behind one: not a file of this run"):
        analyse(Store.open(store.folder))


def test_cells_are_in_the_order_of_measuring_beyond_9999(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = cells(factories.plan())[0]
    for number in (10_000, 9_999):
        of = first._replace(number=number)
        store.begin(of)
        store.finish(runs.record(of))
    assert [record.number for record in store.records()] == [9_999, 10_000]


def leaves(found: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where numbers stand in a JSON text, and where there may be one."""
    if isinstance(found, dict | list):
        for key, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield from leaves(value, (*at, key))
    elif not isinstance(found, str):
        yield at


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest.json", "selfcheck.json", "cells/0001/cell.json"])
def test_a_number_that_was_edited_is_refused_or_finite(tmp_path: Path, name: str) -> None:
    """Each number of a file, replaced by one that no run has."""
    store = written(tmp_path)
    checks(store.folder)
    path = store.folder / name
    text = path.read_text()
    for at in leaves(json.loads(text)):
        for value in (float("nan"), INFINITE, -1, 0, 1e308, 1e-320, 10**30, "", None):
            found = inside = json.loads(text)
            for key in at[:-1]:
                inside = inside[key]
            inside[at[-1]] = value
            path.write_text(json.dumps(found))
            try:
                results = analyse(store)
            except StoreError:
                continue
            json.dumps(results.model_dump(), default=str, allow_nan=False)
            assert markdown(build_view(results))


@pytest.mark.parametrize("name", ["[a]", "*", "a?", "{a,b}", "~", "$HOME", "a=b", "%61", "a\n'\""])
def test_a_folder_with_marks_of_a_pattern_is_read(tmp_path: Path, name: str) -> None:
    def make(of: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(of, 500)

    folder = tmp_path / name
    store = runs.write_run(
        folder, factories.plan(), make, telemetry=lambda _: runs.telemetry(cpu_s=0.5)
    )
    assert analyse(store).cells
    (tmp_path / "ab").mkdir()  # which the names are patterns of
    shares = [folder / "0.parquet", folder / "1.parquet"]
    for share in (*shares, tmp_path / "ab" / "0.parquet"):
        runs.responses(100, 1.0).head(10).write_parquet(share)
    _join(shares, folder / "joined.parquet")
    assert pl.read_parquet(folder / "joined.parquet", glob=False).height == 20


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not in UTF-8; rename the folder"):
        Store(tmp_path / "\udcff")


def test_no_chart_is_written_through_a_link(tmp_path: Path) -> None:
    def make(of: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(of, 500)

    store = runs.write_run(tmp_path / "runs", factories.plan(), make)
    elsewhere, precious = tmp_path / "elsewhere", tmp_path / "precious"
    elsewhere.mkdir()
    precious.write_text("mine")
    charts, page = store.folder / "charts", store.folder / "report.html"
    charts.symlink_to(elsewhere)
    page.symlink_to(precious)
    view = build_view(analyse(store))
    write_report(view, store.folder, lambda _: None)
    drawn = sorted(charts.iterdir())
    assert drawn
    assert not charts.is_symlink()
    drawn[0].unlink()
    drawn[0].symlink_to(precious)
    write_report(view, store.folder, lambda _: None)
    assert not drawn[0].is_symlink()
    assert precious.read_text() == "mine"
    assert list(elsewhere.iterdir()) == []
