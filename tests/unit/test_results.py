"""results.json against its published schema."""

import json
from pathlib import Path

import jsonschema

from tests.support import runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse, write_results
from twinbench.paths import ROOT

SCHEMA = ROOT / "docs" / "results.schema.json"


def test_the_published_schema_is_current() -> None:
    """If this fails: .venv/bin/twinbench schema > docs/results.schema.json"""
    assert json.loads(SCHEMA.read_text()) == Results.model_json_schema()


def test_what_is_written_follows_the_schema_and_reads_back(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, runs.plan(), lambda cell: runs.steady(cell, 1000))
    results = analyse(store)
    write_results(store, results)
    text = (store.folder / "results.json").read_text()
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))
    assert Results.model_validate_json(text) == results


def test_a_load_is_an_object_by_name(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, runs.plan(), lambda cell: runs.steady(cell, 1000))
    write_results(store, analyse(store))
    first = store.records()[0].load
    named = {"kind": first.kind, "value": first.value}
    assert json.loads((store.folder / "results.json").read_text())["cells"][0]["load"] == named
    assert json.loads((store.folder / "cells/0001/cell.json").read_text())["load"] == named
