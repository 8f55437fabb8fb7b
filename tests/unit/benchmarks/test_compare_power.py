"""Statistics of `make compare-power`, on made-up runs; no server is started."""

import asyncio
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from starlette.types import Scope

from tests.benchmarks.planted_app import PlantedApp
from tests.benchmarks.power_analysis import (
    Share,
    compared,
    cpu_slopes,
    grouped,
    is_alarm,
    is_found,
    of_versions,
    realised,
    slowed_row,
)
from tests.benchmarks.power_plan import (
    LOOPS,
    SAME,
    WAITS,
    Costs,
    Planted,
    calibration_plan,
    ci_plan,
    costs_of,
    plan_text,
    power_plan,
)
from tests.benchmarks.power_report import write_report
from tests.support import factories
from twinbench.analyse.results import CellResult, Results
from twinbench.analyse.verdict import compare_versions
from twinbench.plan import Cell, Plan, PlanError, cells, read_plan
from twinbench.store import StoreError
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD

CI = """
name = "ci"
{}
[[targets]]
name = "async"
app = "apps.async_app.main:app"
[[scenarios]]
use = "wait"
closed = [16, 64]
[[scenarios]]
use = "read_post"
closed = [1, 8]
[[scenarios]]
use = "noop"
closed = [8, 64]
"""
COSTS = Costs(cpu_ms=1.5, loop_ms=0.00002, response_ms=50.0, timer_ms=0.7)
BUSY_10, WAIT_30 = Planted("busy", 10), Planted("wait", 30)
SLOWER = {BUSY_10.name: 1 / 1.1, WAIT_30.name: 1 / 1.3}


def ci(folder: Path, keys: str = "blocks = 8") -> Plan:
    file = folder / "ci.toml"
    file.write_text(CI.format(keys))
    return ci_plan(file)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return power_plan(ci(tmp_path), COSTS, [BUSY_10, WAIT_30], seed=1)


def made_up(
    plan: Plan, seed: int = 1, speeds: Mapping[str, float] = SLOWER, stolen: float = 0.0
) -> Results:
    """Return a run in which targets have these speeds, with noise of 1 %.

    The host takes up to `stolen` of the core, and throughput falls by the same share.
    """
    rng = np.random.default_rng(seed)
    made = []
    for cell in cells(plan):
        cpu = 1 - float(rng.uniform(0, stolen))
        noise = math.exp(rng.normal(0, 0.01))
        made.append(_cell(cell, cpu, speeds.get(cell.target, 1.0) * noise))
    return factories.results(plan, run=f"run-{seed}", cells=made)


def _cell(cell: Cell, cpu: float, speed: float) -> CellResult:
    found = factories.cell_result(
        cell.target, cell.block, 1000 * cpu * speed, load=cell.load, scenario=cell.scenario
    )
    return found.model_copy(update={"server_cpu": cpu})


async def app(*_: object) -> None: ...


async def never(*_: object) -> Any:
    raise AssertionError


def of_head(results: Results) -> Sequence[CellResult]:
    return [cell for cell in results.cells if cell.target == HEAD]


def test_share_has_wilsons_interval() -> None:
    # Of R's prop.test(10, 20, correct = FALSE) and binom::binom.wilson(0, 20).
    assert Share(10, 20).interval == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert Share(0, 20).interval == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert Share(20, 20).interval == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert Share(0, 0).interval == (0, 1)


def test_plan_is_the_same_when_read_again(plan: Plan, tmp_path: Path) -> None:
    for each in (plan, calibration_plan(ci(tmp_path))):
        (tmp_path / "written.toml").write_text(plan_text(each))
        assert read_plan(tmp_path / "written.toml") == each


def test_ci_plan_fits_three_targets_into_its_time(tmp_path: Path) -> None:
    found, longer = ci(tmp_path, 'time = "10m"'), ci(tmp_path, 'time = "5m"')
    assert [target.name for target in found.targets] == [BASE, SAME, BASE_AGAIN]
    assert found.blocks * found.measure_s > 1.5 * longer.blocks * longer.measure_s
    with pytest.raises(PlanError, match="give more time"):
        ci(tmp_path, 'time = "1m"')


def test_ci_plan_without_a_scenario_to_slow_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ci.toml").write_text(CI.format("").replace("read_post", "list_posts"))
    with pytest.raises(PlanError, match="no scenario 'read_post'"):
        ci_plan(tmp_path / "ci.toml")


def test_slowdowns_are_shares_of_what_a_request_costs(plan: Plan) -> None:
    assert plan.target("busy_10").env == {"PLANTED_LOOPS": "7500"}  # 0.15 ms
    assert plan.target("wait_30").env == {"PLANTED_WAIT_MS": "14.300"}  # 15 ms, 0.7 by the timer
    assert {name: plan.target(name).env for name in (BASE, SAME)} == {BASE: {}, SAME: {}}


def test_costs_are_those_of_the_calibration(tmp_path: Path) -> None:
    plan = calibration_plan(ci(tmp_path))
    cpu_ms, response_ms = {BASE: 1.5, LOOPS: 3.5}, {BASE: 50.0, WAITS: 60.7}
    made = []
    for cell in cells(plan):
        found = factories.cell_result(
            cell.target,
            cell.block,
            load=cell.load,
            scenario=cell.scenario,
            mean_ms=response_ms.get(cell.target, 5.0),
        )
        made.append(found.model_copy(update={"server_cpu_ms": cpu_ms.get(cell.target, 9.0)}))
    costs = costs_of(factories.results(plan, cells=made))
    assert (costs.cpu_ms, costs.loop_ms) == pytest.approx((1.5, 0.00002))
    assert (costs.response_ms, costs.timer_ms) == pytest.approx((50.0, 0.7))
    with pytest.raises(StoreError, match="too few valid"):
        costs_of(factories.results(plan, cells=made[:0]))


def test_comparison_has_the_slowed_row_in_place_of_the_original(plan: Plan) -> None:
    run = made_up(plan)
    results = of_versions([run], BUSY_10)
    assert [target.name for target in results.plan.targets] == [BASE, HEAD, BASE_AGAIN]
    assert len(cells(results.plan)) == len(results.cells) == 6 * 3 * plan.blocks
    # Each measurement once, and of those of the slowed row none of `same`.
    measured = {(c.block, c.target, c.scenario, c.load) for c in results.cells}
    assert len(measured) == len(results.cells)
    slowed = {c.throughput_rps for c in run.cells if c.target == BUSY_10.name}
    heads = of_head(results)
    assert {c.throughput_rps for c in heads if c.throughput_rps in slowed} == slowed
    assert {(c.scenario, c.load.value) for c in heads if c.throughput_rps in slowed} == {
        ("read_post", 8)
    }


def test_planted_slowdowns_are_found_and_nothing_else(plan: Plan) -> None:
    runs = [made_up(plan, seed) for seed in range(3)]
    for planted in (BUSY_10, WAIT_30):
        found = compared(runs, planted)
        assert len(found) == 3
        assert all(is_found(each, planted) and each.fails for each in found)
        assert not any(is_alarm(each, planted) for each in found)
        longer = realised(runs, planted)
        assert longer
        assert longer.estimate == pytest.approx(planted.percent / 100, abs=0.01)
        assert slowed_row(found[0], planted).load.value == (8 if planted is BUSY_10 else 16)
    assert not any(map(is_alarm, compared(runs)))
    assert compared(runs, Planted("busy", 3)) == []  # not in these runs


def test_alarm_is_a_difference_without_a_change(plan: Plan) -> None:
    run = made_up(plan, speeds={SAME: 0.8, BUSY_10.name: 0.8})
    [unchanged], [slowed] = compared([run]), compared([run], BUSY_10)
    assert is_alarm(unchanged)
    assert is_alarm(slowed, BUSY_10)
    assert is_found(slowed, BUSY_10)


@pytest.mark.parametrize(("times", "groups", "blocks"), [(0.5, 10, 4), (1, 5, 8), (2, 2, 16)])
def test_groups_share_no_block(plan: Plan, times: float, groups: int, blocks: int) -> None:
    runs = [made_up(plan, seed) for seed in range(5)]
    found = [of_versions(group) for group in grouped(runs, times)]
    assert len(found) == groups
    for results in found:
        assert {cell.block for cell in results.cells} == {*range(1, blocks + 1)}
        assert compare_versions(results).rows[0].blocks == blocks
    used = [cell.throughput_rps for results in found for cell in of_head(results)]
    assert len(used) == len(set(used))


def test_cpu_share_explains_what_the_host_takes(plan: Plan) -> None:
    runs = [made_up(plan, seed, stolen=0.3) for seed in range(4)]
    slopes = cpu_slopes(runs)
    assert len(slopes) == 6
    assert list(slopes.values()) == pytest.approx([1.0] * 6, abs=0.1)
    [plain], [adjusted] = (compared(runs[:1], BUSY_10, slopes=each) for each in (None, slopes))
    assert not is_found(plain, BUSY_10)
    assert is_found(adjusted, BUSY_10)


def test_report_counts_the_runs_that_are_there(plan: Plan, tmp_path: Path) -> None:
    runs = [made_up(plan, seed) for seed in range(2)]
    text = write_report(runs, tmp_path).read_text()
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()}
    assert "2 of 2 (34% to 100%)" in rows["busy, 10 %"]
    assert "busy, 3 %" not in rows
    assert "0 of 2 (0% to 66%)" in rows["one app, a comparison of each run"]
    assert "**1 of 1 (21% to 100%)**" in rows["throughput, 2 times the blocks"]
    assert (tmp_path / "power.svg").read_bytes().startswith(b"<?xml")


def test_report_of_different_plans_is_refused(plan: Plan, tmp_path: Path) -> None:
    run = made_up(plan)
    longer = run.model_copy(update={"plan": plan.model_copy(update={"measure_s": 9.0})})
    with pytest.raises(StoreError, match="different plans"):
        write_report([run, longer], tmp_path)
    with pytest.raises(StoreError, match="no finished run"):
        write_report([], tmp_path)


def lines_run(planted: PlantedApp, kind: str) -> int:
    """Return how many lines of the planted app one request, or the lifespan, executes."""
    lines: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        lines[event] += frame.f_code is PlantedApp.__call__.__code__
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(StopIteration):
            planted({"type": kind}, never, never).send(None)
    finally:
        sys.settrace(before)
    return lines["line"]


def test_planted_app_loops_in_requests_only() -> None:
    without, with_loops = (PlantedApp(app, loops=loops, wait_ms=0) for loops in (0, 1000))
    assert lines_run(with_loops, "http") - lines_run(without, "http") >= 1000
    assert lines_run(with_loops, "lifespan") == lines_run(without, "lifespan")


def test_planted_app_waits_whole_milliseconds() -> None:
    planted = PlantedApp(app, loops=0, wait_ms=2.3)
    waits_ms = [planted.next_wait_ms() for _ in range(1000)]
    assert {*waits_ms} == {2, 3}
    assert sum(waits_ms) == pytest.approx(2300, abs=1)


def test_planted_app_waits_before_the_app_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    async def sleep(seconds: float) -> None:
        done.append(seconds)

    async def responds(scope: Scope, *_: object) -> None:
        done.append(scope["type"])

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for kind in ("lifespan", "http"):
        asyncio.run(PlantedApp(responds, loops=0, wait_ms=15)({"type": kind}, never, never))
    assert done == ["lifespan", 0.015, "http"]
