"""Self-check with real processes."""

from pathlib import Path

import pytest

from tests.support.factories import plan
from tests.support.processes import clean_rig
from twinbench.selfcheck.check import run_self_check

pytestmark = [pytest.mark.instrument, pytest.mark.serial]


def test_a_self_check_finds_floor_capacity_and_six_checks(tmp_path: Path) -> None:
    with clean_rig(plan(), tmp_path) as rig:
        found = run_self_check(rig, tmp_path)
    assert len(found.checks) == 6
    assert found.capacity_rps > 0
    assert 0 < found.floor.latency_p50_ms <= found.floor.latency_p99_ms
    assert 0 < found.floor.lag_p50_ms <= found.floor.lag_p99_ms
