"""`twinbench list`: which runs are shown, and which ones `--prune` removes."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support import factories
from tests.support.runs import steady, write_run
from twinbench import run
from twinbench.cli import app
from twinbench.runs import parse_age, runs_in
from twinbench.store import Store

DAYS_OLD = (0, 10, 40)


def add_run(folder: Path, days: int, name: str = "made-up") -> Store:
    """Write a complete run that was started some days ago."""
    store = write_run(folder / "runs", factories.plan(name=name), lambda cell: steady(cell, 1000))
    manifest = store.manifest()
    manifest.sessions[0].started -= timedelta(days=days)
    store.write_manifest(manifest)
    return store


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, Store]:
    """Three runs by their age in days; the newest is the latest. No signal handlers."""
    monkeypatch.setattr(run, "defer_signals", lambda: None)
    monkeypatch.chdir(tmp_path)
    found = {days: add_run(tmp_path, days, f"plan-{days}") for days in DAYS_OLD}
    found[0].update_latest_link(tmp_path / "latest")
    return found


def invoke(*args: str, answer: str = "") -> tuple[int, str]:
    """Return exit code, and output or error, of `twinbench list ARGS`."""
    done = CliRunner().invoke(app, ["list", "--runs", "runs", *args], input=answer)
    error = "" if done.exception is None else str(done.exception)
    return done.exit_code, done.output + error


def left(runs: dict[int, Store]) -> list[int]:
    return [days for days, store in runs.items() if store.folder.exists()]


def test_runs_are_listed_newest_first_with_counts(tmp_path: Path, runs: dict[int, Store]) -> None:
    (runs[10].folder / "cells" / "0001" / "cell.json").unlink()
    found = runs_in(tmp_path / "runs", tmp_path / "latest")
    assert [each.plan for each in found] == ["plan-0", "plan-10", "plan-40"]
    assert [each.is_latest for each in found] == [True, False, False]
    assert [(each.planned, each.finished) for each in found] == [(12, 12), (12, 11), (12, 12)]
    assert [each.is_complete for each in found] == [True, False, True]
    assert all(each.size_bytes > 1000 for each in found)


def test_folders_without_a_run_are_not_listed(tmp_path: Path, runs: dict[int, Store]) -> None:
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "notes" / "manifest.json").write_text('{"name": "not a run"}')
    (tmp_path / "runs" / "link").symlink_to(runs[0].folder)
    linked = tmp_path / "runs" / "linked"
    linked.mkdir()
    (linked / "manifest.json").symlink_to(runs[0].folder / "manifest.json")
    assert len(runs_in(tmp_path / "runs", tmp_path / "latest")) == len(runs)
    code, _ = invoke("--prune", "--keep", "0", "--with-latest", "--yes")
    assert (code, left(runs)) == (0, [])
    assert sorted(each.name for each in (tmp_path / "runs").iterdir()) == [
        "link",
        "linked",
        "notes",
    ]
    assert not os.path.lexists(tmp_path / "latest")


def test_run_of_another_version_is_listed_without_counts(
    tmp_path: Path, runs: dict[int, Store]
) -> None:
    manifest = runs[40].folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 6', '"format": 1'))
    found = runs_in(tmp_path / "runs", tmp_path / "latest")[-1]
    assert (found.plan, found.planned, found.is_complete) == ("plan-40", None, False)


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        (["--older", "5d"], [0]),
        (["--older", "2w"], [0, 10]),
        (["--keep", "2"], [0, 10]),
        (["--keep", "0"], [0]),
        (["--keep", "0", "--with-latest"], []),
        (["--keep", "1", "--older", "30d"], [0, 10]),
        (["--keep", "3"], [0, 10, 40]),
    ],
)
def test_prune_removes_by_age_and_count(
    runs: dict[int, Store], args: list[str], kept: list[int]
) -> None:
    assert invoke("--prune", "--yes", *args)[0] == 0
    assert left(runs) == kept


def test_prune_writes_the_index_of_the_runs_that_are_left(
    tmp_path: Path, runs: dict[int, Store]
) -> None:
    assert invoke("--prune", "--yes", "--keep", "2")[0] == 0
    page = (tmp_path / "index.html").read_text()
    assert [f"plan-{days}" in page for days in runs] == [True, True, False]


def test_prune_keeps_the_latest_run_though_it_is_not_the_newest(runs: dict[int, Store]) -> None:
    runs[40].update_latest_link(Path("latest"))
    assert invoke("--prune", "--yes", "--keep", "1")[0] == 0
    assert left(runs) == [0, 40]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--prune", "--older", "30d"], "without a terminal add --yes"),
        (["--prune", "--yes"], "say which runs: --older 30d, --keep 5"),
        (["--prune", "--yes", "--older", "30"], "'30' is no age: write it as 12h, 30d or 4w"),
        (["--keep", "1"], "are for --prune: add it"),
    ],
)
def test_prune_without_what_it_needs_is_refused(
    runs: dict[int, Store], args: list[str], message: str
) -> None:
    code, printed = invoke(*args, answer="y\n")
    assert code != 0
    assert message in printed
    assert left(runs) == list(DAYS_OLD)


@pytest.mark.parametrize(("answer", "kept"), [("y", [0, 10]), ("", [0, 10, 40])])
def test_prune_asks_on_a_terminal(
    runs: dict[int, Store], monkeypatch: pytest.MonkeyPatch, answer: str, kept: list[int]
) -> None:
    monkeypatch.setattr("twinbench.cli.list.is_interactive", lambda: True)
    code, printed = invoke("--prune", "--older", "30d", answer=f"{answer}\n" * bool(answer))
    assert code == 0
    assert "Remove 1 run, " in printed
    assert left(runs) == kept


def test_ages_are_read_with_their_unit() -> None:
    assert parse_age("12h") == timedelta(hours=12)
    assert parse_age("4w") == timedelta(days=28)
