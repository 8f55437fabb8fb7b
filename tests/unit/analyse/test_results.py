"""results.json against its published schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.support import factories, runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse, write_results
from twinbench.job import LocustSummary
from twinbench.paths import ROOT
from twinbench.plan import Cell
from twinbench.report.view import build_view

SCHEMA = ROOT / "docs" / "results.schema.json"


def test_published_schema_is_current() -> None:
    """If this fails: .venv/bin/twinbench schema > docs/results.schema.json."""
    assert json.loads(SCHEMA.read_text()) == Results.model_json_schema()


def test_results_follow_the_schema_and_read_back(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, factories.plan(), lambda cell: runs.steady(cell, 1000))
    results = analyse(store)
    write_results(store, results)
    text = (store.folder / "results.json").read_text()
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))
    assert Results.model_validate_json(text) == results
    load = json.loads(text)["cells"][0]["load"]
    assert load == {"kind": results.cells[0].load.kind, "value": results.cells[0].load.value}
    assert json.loads((store.folder / "cells/0001/cell.json").read_text())["load"] == load


@pytest.mark.parametrize(("in_flight", "metric"), [(3, "p99"), (5, "throughput")])
def test_users_who_mostly_wait_are_compared_by_time(
    tmp_path: Path, in_flight: int, metric: str
) -> None:
    users = LocustSummary(clients=["HttpUser"])

    def make(cell: Cell) -> runs.Made:
        count = 3000 if cell.target == "sync" else 2000
        return runs.record(cell, locust=users), runs.responses(count, 1e3 * in_flight / count)

    results = runs.analysed(tmp_path, make, scenarios=[factories.scenario(closed=[8])])
    assert {cell.status for cell in results.cells} == {"valid"}
    assert results.primary_metric("noop", "closed") == metric
    headline = build_view(results).headline_text
    assert headline.startswith(f"sync {'responds' if metric == 'p99' else 'serves'} up to 1.5")
