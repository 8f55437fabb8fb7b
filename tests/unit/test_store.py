"""Run folders that are not what they should be are refused with one line."""

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
from twinbench.plan import cells
from twinbench.report.markdown import markdown
from twinbench.report.view import build_view
from twinbench.report.write import write_report
from twinbench.store import Store, StoreError
from twinbench.text import MAX_CHARACTERS

CELL = "cells/0001/cell.json"
REQUESTS, TELEMETRY = "cells/0001/requests.parquet", "cells/0001/telemetry.parquet"
DECIMAL, NAN, INFINITE = pl.Decimal(38, 2), float("nan"), float("inf")


def write_run(folder: Path) -> Store:
    return runs.write_run(
        folder,
        factories.plan(),
        lambda cell: runs.steady(cell, 500),
        telemetry=lambda _: runs.telemetry(cpu_s=0.5),
        self_check=factories.self_check(factories.check()),
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = write_run(tmp_path_factory.mktemp("original"))
    assert not analyse(store).remarks
    return store.folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "run"))


def refusal(run: Path) -> str:
    with pytest.raises(StoreError) as refused:
        analyse(Store.open(run))
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) <= MAX_CHARACTERS
    return message


def edited(text: str, at: tuple[str | int, ...], value: object) -> str:
    found = inside = json.loads(text)
    for key in at[:-1]:
        inside = inside[key]
    inside[at[-1]] = value
    return json.dumps(found)


@pytest.mark.parametrize(
    ("file", "at", "value", "message"),
    [
        ("manifest.json", ("format",), 99, "not of this version"),
        ("manifest.json", ("sessions",), [], "not of this version"),
        (
            "manifest.json",
            ("sessions", 0, "started"),
            "2026-01-01T00:00",
            "(sessions.0.started: Input should have timezone info)",
        ),
        ("manifest.json", ("versions",), {}, "no version of fastapi, python"),
        ("manifest.json", ("machine", "memory_gib"), 1e300, "(machine.memory_gib: "),
        (CELL, ("scenario",), "another", "measurement 1 is not of its plan: another, "),
        (CELL, ("number",), 2, "cell.json: holds measurement 2, which has another folder"),
        (CELL, ("windows_ns",), [[0, 2**70]], "cell.json: not of this version"),
        (CELL, ("windows_ns",), [[2, 1]], "the windows have no length"),
        (CELL, ("windows_ns",), [[1, 1]], "the windows have no length"),
        (CELL, ("server_cpu_s",), INFINITE, "(server_cpu_s: "),
        (CELL, ("server_memory_mib",), -1, "(server_memory_mib: "),
        (CELL, ("good",), 10**30, "(good: "),
        ("selfcheck.json", ("checks", 0, "measured"), NAN, "(checks.0.measured: "),
        ("selfcheck.json", ("floor", "lag_p50_ms"), -1, "(floor.lag_p50_ms: "),
    ],
)
def test_an_edited_value_is_refused(
    run: Path, file: str, at: tuple[str | int, ...], value: object, message: str
) -> None:
    (run / file).write_text(edited((run / file).read_text(), at, value))
    assert message in refusal(run)


@pytest.mark.parametrize("text", ["[" * 100_000, f'{{"cells": {"9" * 5000}}}', "\udcff"])
def test_a_file_that_is_no_json_is_refused(run: Path, text: str) -> None:
    (run / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    assert "manifest.json: not of this version" in refusal(run)


@pytest.mark.parametrize(
    ("file", "name", "value", "message"),
    [
        (
            REQUESTS,
            "done_ns",
            pl.col("done_ns").cast(pl.String),
            "version of twinbench (done_ns is",
        ),
        (REQUESTS, "done_ns", pl.col("done_ns").cast(DECIMAL), "(done_ns is Decimal"),
        (REQUESTS, "done_ns", pl.col("done_ns") * 1.0, "(done_ns is Float64)"),
        (REQUESTS, "error", pl.lit(None), "requests.parquet: not of this version"),
        (REQUESTS, "error", pl.col("error").shift(), "(error is null in a row)"),
        (REQUESTS, "request", pl.col("request").shift(), "(request is null in a row)"),
        (REQUESTS, "sent_ns", pl.col("done_ns") + 1, "done_ns is before sent_ns"),
        (REQUESTS, "sent_ns", pl.col("intended_ns") - 1, "sent_ns is before intended_ns"),
        (REQUESTS, "sent_ns", -pl.col("sent_ns"), "(sent_ns is negative in a row)"),
        (TELEMETRY, "t_ns", pl.col("t_ns").cast(DECIMAL), "(t_ns is Decimal"),
        (TELEMETRY, "t_ns", pl.col("t_ns").shift(), "(t_ns is null in a row)"),
        (TELEMETRY, "t_ns", pl.lit(1), "(t_ns does not ascend)"),
        (TELEMETRY, "t_ns", pl.col("t_ns").reverse(), "(t_ns does not ascend)"),
        (TELEMETRY, "threads_used", pl.lit("a"), "(threads_used is String)"),
        (TELEMETRY, "threads_used", pl.lit(NAN), "(threads_used is not between 0"),
        (TELEMETRY, "threads_used", pl.lit(1e300), "(threads_used is not between 0"),
        (TELEMETRY, "threads_used", pl.lit(-1), "(threads_used is not between 0"),
    ],
)
def test_an_edited_column_is_refused(
    run: Path, file: str, name: str, value: pl.Expr, message: str
) -> None:
    rows = pl.read_parquet(run / file)
    rows.with_columns(value.alias(name)).write_parquet(run / file)
    assert message in refusal(run)


@pytest.mark.parametrize("file", ["selfcheck.json", TELEMETRY])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "a link, or behind one"),
    ],
)
def test_a_file_that_is_not_regular_is_refused(
    run: Path, file: str, make: Callable[[Path], object], message: str
) -> None:
    (run / file).unlink()
    make(run / file)
    assert f"{file}: {message}" in refusal(run)


@pytest.mark.parametrize("name", ["cells", "cells/0001", REQUESTS])
def test_figures_of_another_run_are_not_read_through_a_link(
    run: Path, original: Path, name: str
) -> None:
    path = run / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(original / name)
    assert "a link, or behind one: not a file of this run" in refusal(run)


def test_cells_are_in_the_order_of_measuring_beyond_9999(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = cells(factories.plan())[0]
    for number in (10_000, 9_999):
        cell = first._replace(number=number)
        store.begin(cell)
        store.finish(runs.record(cell))
    assert [record.number for record in store.records()] == [9_999, 10_000]


def leaves(found: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where numbers are in a JSON text, and where there may be one."""
    if isinstance(found, dict | list):
        for key, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield from leaves(value, (*at, key))
    elif not isinstance(found, str):
        yield at


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest.json", "selfcheck.json", CELL])
def test_a_number_that_was_edited_is_refused_or_finite(run: Path, name: str) -> None:
    """Each number of a file, replaced by one that no run has."""
    text = (run / name).read_text()
    for at in leaves(json.loads(text)):
        for value in (NAN, INFINITE, -1, 0, 1e308, 1e-320, 10**30, "", None):
            (run / name).write_text(edited(text, at, value))
            try:
                results = analyse(Store(run))
            except StoreError:
                continue
            json.dumps(results.model_dump(), default=str, allow_nan=False)
            assert markdown(build_view(results))


@pytest.mark.parametrize("name", ["[a]", "*", "a?", "{a,b}", "~", "$HOME", "a=b", "%61", "a\n'\""])
def test_a_folder_whose_name_is_a_pattern_is_read(
    original: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    shutil.copytree(original, folder)
    assert analyse(Store.open(folder)).cells
    (tmp_path / "ab").mkdir()  # which the names are patterns of
    shares = [folder / "0.parquet", folder / "1.parquet"]
    for share in (*shares, tmp_path / "ab" / "0.parquet"):
        runs.responses(100, 1.0).head(10).write_parquet(share)
    _join(shares, folder / "joined.parquet")
    assert pl.read_parquet(folder / "joined.parquet", glob=False).height == 20


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not in UTF-8; rename the folder"):
        Store(tmp_path / "\udcff")


def test_no_chart_is_written_through_a_link(run: Path, tmp_path: Path) -> None:
    elsewhere, precious = tmp_path / "elsewhere", tmp_path / "precious"
    elsewhere.mkdir()
    precious.write_text("mine")
    charts = run / "charts"
    charts.symlink_to(elsewhere)
    (run / "report.html").symlink_to(precious)
    view = build_view(analyse(Store(run)))
    write_report(view, run, lambda _: None)
    assert not charts.is_symlink()
    drawn = next(charts.iterdir())
    drawn.unlink()
    drawn.symlink_to(precious)
    write_report(view, run, lambda _: None)
    assert not drawn.is_symlink()
    assert precious.read_text() == "mine"
    assert list(elsewhere.iterdir()) == []
