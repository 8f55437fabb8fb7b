"""Requests of a locustfile by name, in results and report."""

from pathlib import Path

import polars as pl

from tests.support import runs
from twinbench.job import LocustSummary
from twinbench.plan import Cell
from twinbench.report.view import build_view

SCENARIO = {"name": "shop", "locustfile": "shop.py", "closed": [1, 8]}


def made(cell: Cell) -> runs.Made:
    """Return 1,000 requests a block, every fourth for `GET /rare`; the last four are wrong."""
    users = LocustSummary(clients=["FastHttpUser"])
    rows = runs.responses(4000, 2, wrong=4)
    names = ["GET /", "GET /", "GET /", "GET /rare"] * (len(rows) // 4)
    return runs.record(cell, locust=users), rows.with_columns(pl.Series("name", names))


def test_names_are_counted_over_blocks_at_the_highest_load(tmp_path: Path) -> None:
    results = runs.analysed(tmp_path, made, scenarios=[SCENARIO])
    found = [(n.target, n.load.value, n.name, n.requests, n.errors) for n in results.by_name]
    assert found == [
        (target, 8, *counts)
        for target in ("sync", "async")
        for counts in (("GET /", 9000, 9), ("GET /rare", 3000, 3))
    ]
    assert {n.p50_ms for n in results.by_name} == {2.0}
    [section] = build_view(results).scenarios[0].sections
    assert [row[:3] for row in section.names.rows] == [
        ("GET /", "9,000", "9"),
        ("GET /rare", "3,000", "3"),
    ]
    facts = {row[0]: row[1] for row in section.facts.rows}
    assert facts["Requests sent by"] == "Locust’s FastHttpUser"


def test_other_scenarios_have_no_names(tmp_path: Path) -> None:
    results = runs.analysed(tmp_path, lambda cell: runs.steady(cell, 1000))
    assert results.by_name == []
    assert not build_view(results).scenarios[0].sections[0].names.rows
