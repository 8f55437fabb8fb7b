"""results.json against its published schema."""

import json
from pathlib import Path

import jsonschema

from tests.support import factories, runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse, write_results
from twinbench.paths import ROOT

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
