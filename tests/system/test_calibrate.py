"""Calibration for real: what it counts is exact on any machine, whatever the times are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import plan
from tests.support.processes import clean_rig
from twinbench.calibrate import LOGS, beside, mutations, plans
from twinbench.calibrate.drive import drive
from twinbench.calibrate.evidence import Evidence, Seen
from twinbench.calibrate.items import answers, stalls
from twinbench.calibrate.items.matching import counted, matched
from twinbench.calibrate.short import calibrate_short, line
from twinbench.findings import Check
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, Target
from twinbench.store import CellRecord

pytestmark = [pytest.mark.instrument, pytest.mark.serial]
DRIVEN = ("stalls", "answers")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with clean_rig(plan(), tmp_path_factory.mktemp("logs")) as found:
        yield found


@pytest.fixture(scope="module")
def evidence(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The plans of items 5 and 9, driven."""
    folder = tmp_path_factory.mktemp("calibration")
    setting = plans.Setting(folder / LOGS, 7, 100, 1)
    todo = [one for one in plans.full(setting) if one.name in DRIVEN]
    seen: list[CellRecord] = []
    drive(todo, rig, folder, seen.append)
    assert {record.outcome for record in seen} == {"done"}
    return Evidence(folder)


def of(checks: list[Check], what: str) -> list[Check]:
    found = [check for check in checks if what in check.what]
    assert found
    return found


@pytest.mark.parametrize("scenario", ["erring", "crowd"])
def test_what_a_server_noted_is_what_was_recorded(evidence: Evidence, scenario: str) -> None:
    cell: Seen = evidence.one(scenario)
    assert counted(evidence, cell).ok
    seen = matched(evidence, cell)
    if scenario == "crowd":
        # Nobody is answered sooner than the server says; a clock read late is all there is.
        assert sorted(seen.exchange - seen.service)[len(seen.service) // 100] > -1
        assert seen.service.min() >= plans.WAIT_MS


def test_stalls_are_told_whole_and_a_closed_load_hides_them(evidence: Evidence) -> None:
    for check in of(stalls.judge(evidence)[0], "meant meanwhile"):
        assert check.ok, check
    assert of(stalls.judge(evidence)[0], "that saw the freeze")[0].ok


@pytest.mark.parametrize("name", ["late arrivals dropped", "timed from sent"])
def test_a_held_generator_gives_these_away(evidence: Evidence, name: str) -> None:
    spoilt = evidence.changed(mutations.MUTATIONS[name])
    held = of(stalls.judge(spoilt)[0], "held, open load: requests meant meanwhile")
    assert not held[0].ok


def test_errors_are_counted_as_the_server_counted_them(evidence: Evidence) -> None:
    what = "errors recorded"
    assert of(answers.wrong_answers(evidence), what)[0].ok
    spoilt = evidence.changed(mutations.merge_errors)
    assert not of(answers.wrong_answers(spoilt), what)[0].ok


def test_the_short_form_says_four_things_and_leaves_the_rig_as_it_was(
    rig: Rig, tmp_path: Path
) -> None:
    own: Plan = rig.plan
    found = calibrate_short(rig, tmp_path)
    assert [item.number for item in found.items] == [1, 2, 7, 8]
    assert found.items[0].verdict == "PASS"
    assert found.capacity_rps > 0
    assert 0 < found.floor.latency_p50_ms <= found.floor.latency_p99_ms
    assert line(found).startswith("Calibration: floor ")
    assert rig.plan is own


def test_wrk_beside_us(rig: Rig, tmp_path: Path) -> None:
    if not beside.has_wrk():
        pytest.skip("wrk is not installed (Debian: apt install wrk)")
    setting = plans.Setting(tmp_path / LOGS, 7, 100, 1)
    target: Target = plans.with_wrk(setting).targets[0]
    beside.wrk(rig, target, "/wait?ms=10", tmp_path, 1)
    (pair,) = Evidence(tmp_path).beside("wrk")
    # Each of them waits at least so long: neither can be better than that.
    assert 0 < pair["rps"] <= 1e3 * plans.USERS / plans.WAIT_MS * 1.05
    assert pair["p50_ms"] >= plans.WAIT_MS * 0.99
