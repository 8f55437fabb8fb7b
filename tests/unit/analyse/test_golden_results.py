"""Results of a recorded run: its figures, statuses and decisions must not change.

Where a change is meant: UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/analyse/test_golden_results.py,
then read the difference.
"""

import json
import math
import os
from typing import Any

from tests.support.runs import GOLDEN
from twinbench.analyse.run import analyse
from twinbench.store import Store

EXPECTED = GOLDEN / "results.json"
# The rest is copied from the run folder.
COMPARED = {"timing", "missing_cells", "cells", "curves", "comparisons", "claims", "timelines"}
WORDING = {"reasons", "text", "source", "evidence"}


def without(value: Any, keys: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: without(item, keys) for key, item in value.items() if key not in keys}
    return [without(item, keys) for item in value] if isinstance(value, list) else value


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Return each number and text by its path."""
    if not isinstance(value, dict | list) or not value:
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, Any] = {}
    for key, item in items:
        found |= leaves(item, f"{path}.{key}")
    return found


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


def test_results_of_the_recorded_run_do_not_change() -> None:
    results = analyse(Store.open(GOLDEN / "run")).model_dump(mode="json", include=COMPARED)
    results = without(results, WORDING)
    if os.environ.get("UPDATE_GOLDEN"):
        EXPECTED.write_text(json.dumps(results, indent=1) + "\n")
    found, expected = leaves(results), leaves(json.loads(EXPECTED.read_text()))
    assert found.keys() == expected.keys()
    different = {path: (found[path], expected[path]) for path in found}
    assert {path: both for path, both in different.items() if not equal(*both)} == {}
