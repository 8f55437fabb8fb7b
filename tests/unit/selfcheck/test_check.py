"""Self-check around its measurements: the highest rate of a plan, its evaluation and text."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import factories, runs
from twinbench.plan import Cell, Plan
from twinbench.selfcheck import check, evaluate
from twinbench.store import CellRecord, Store

HIGHEST = 200


def plan_of(*rates: int, closed: tuple[int, ...] = ()) -> Plan:
    scenario = {"name": "noop", "requests": [{"path": "/"}]}
    return factories.plan(scenarios=[scenario | {"open": list(rates), "closed": list(closed)}])


def test_the_highest_rate_of_open_loads_is_declared(tmp_path: Path) -> None:
    assert check.highest_rate(plan_of(50, 900), tmp_path) == 900
    assert check.highest_rate(plan_of(50, 90_000, closed=(1,)), tmp_path) == 90_000
    assert check.highest_rate(plan_of(50, closed=(1,)), tmp_path) == check.USUAL_RPS


def test_highest_rate_of_closed_loads_is_that_of_newest_run(tmp_path: Path) -> None:
    plan = factories.plan()
    assert check.highest_rate(plan, tmp_path) == check.USUAL_RPS

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.record(cell, good=700 + cell.load.value), runs.responses(10, 1.0)

    runs.write_run(tmp_path, plan, make)
    (tmp_path / "99999999-made-up").mkdir()  # newer, and no run
    assert check.highest_rate(plan, tmp_path) == 708


def test_the_summary_counts_and_a_failure_is_a_warning() -> None:
    failed = factories.check("arrival lag", ok=False, advice="Look.")
    found = factories.self_check(factories.check(), failed)
    assert check.summary(found).startswith("Self-check: 1 of 2 pass")
    [warning] = check.warnings(found)
    assert warning == "Self-check failed: arrival lag: 0.5 ms (at most 0.1). Look."


def measured(
    folder: Path, *, user_ms: float = 0.5, lag_ms: float = 0.05, **headroom: object
) -> Path:
    """A folder as the self-check measures it; a bare timer is 0.1 ms late."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if cell.load.kind == "closed":
            rps = round(1e3 * cell.load.value / (user_ms if cell.load.value == 1 else 4))
            return runs.steady(cell, rps)
        changes = headroom if cell.scenario == "limits" else {}
        return runs.record(cell, **changes), runs.arrivals(cell.load.value, 1.0, lag_ms=lag_ms)

    for plan in check.plans(factories.plan(), HIGHEST):
        runs.write_run(folder / "runs", plan, make)
    for number in (1, 2):
        (folder / f"timer-{number}.json").write_text(json.dumps([100_000] * 50))
    return folder


def test_floor_and_capacity_are_those_of_the_null_server(tmp_path: Path) -> None:
    started = datetime.now(UTC)
    found = evaluate.evaluate(measured(tmp_path), started)
    assert found.floor.model_dump() == {
        "latency_p50_ms": 0.5,
        "latency_p99_ms": 0.5,
        "lag_p50_ms": 0.1,
        "lag_p99_ms": 0.1,
    }
    assert found.capacity_rps == 4000  # 16 users at 4 ms
    assert len(found.checks) == 6
    assert found.failed == []
    store = Store(tmp_path)
    store.write_self_check(found)
    assert store.self_check() == found


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"user_ms": 1.25}, ["floor"]),
        ({"lag_ms": 0.29}, ["arrival lag: p50"]),
        ({"lag_ms": 0.31}, ["arrival lag: p50", "arrival lag: p99", "invalid"]),
        ({"generator_cpu_s": 0.81}, ["generator CPU", "invalid"]),
        ({"scheduled": 2 * HIGHEST + 1}, ["sent and answered"]),
        ({"dropped": 1}, ["invalid measurements"]),
    ],
)
def test_a_check_fails_for_what_is_wrong(
    tmp_path: Path, changes: dict[str, float], failed: list[str]
) -> None:
    found = evaluate.evaluate(measured(tmp_path, **changes), datetime.now(UTC))
    assert len(found.failed) == len(failed)
    for one, name in zip(found.failed, failed, strict=True):
        assert name in one.name
        assert one.advice
    assert any("censored" in one.advice for one in found.failed) == ("dropped" in changes)


def test_a_measurement_that_was_lost_is_named(tmp_path: Path) -> None:
    folder = measured(tmp_path, outcome="lost", reason="the server died")
    with pytest.raises(ValueError, match=r"limits, null, .*: the server died"):
        evaluate.evaluate(folder, datetime.now(UTC))
