"""Calibration with real servers: what it counts is exact on any machine, whatever the times are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instrument import analysis, answers, measure, timing
from tests.instrument.plans import USERS, WAIT_MS, Setting, plans
from tests.instrument.recording import Recording
from tests.support.factories import plan
from tests.support.processes import clean_rig
from twinbench.measure.rig import Rig
from twinbench.selfcheck.result import Check
from twinbench.store import CellRecord

pytestmark = pytest.mark.serial
MEASURED = ("stalls", "responses")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with clean_rig(plan(), tmp_path_factory.mktemp("logs")) as found:
        yield found


@pytest.fixture(scope="module")
def recording(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The plans of items 5 and 9, measured."""
    folder = tmp_path_factory.mktemp("calibration")
    setting = Setting(folder, 7, 100, 1)
    todo = [one for one in plans(setting, wrk=False) if one.name in MEASURED]
    records: list[CellRecord] = []
    measure.measure(todo, rig, folder, records.append)
    assert {record.outcome for record in records} == {"done"}
    return Recording(folder)


def named(checks: list[Check], name: str) -> list[Check]:
    found = [check for check in checks if name in check.name]
    assert found
    return found


@pytest.mark.parametrize("scenario", ["erring", "crowd"])
def test_what_a_server_logged_is_what_was_recorded(recording: Recording, scenario: str) -> None:
    measurement = recording.measurement(scenario)
    assert timing.recorded(recording, measurement).ok
    rows = timing.matched(recording, measurement)
    if scenario == "crowd":
        # Only a clock that is read late makes a response earlier than by the log.
        assert sorted(rows.exchange_wait)[len(rows.service) // 100] > -1
        assert rows.service.min() >= WAIT_MS


def test_an_open_load_shows_a_stall_that_a_closed_load_hides(recording: Recording) -> None:
    checks = timing.stalls(recording)
    for check in named(checks, "due meanwhile") + named(checks, "that waited for the freeze"):
        assert check.ok, check


@pytest.mark.parametrize("name", ["late arrivals dropped", "timed from sent"])
def test_a_stopped_generator_shows_a_planted_error(recording: Recording, name: str) -> None:
    checks = timing.stalls(recording.mutated(answers.MUTATIONS[name]))
    assert not named(checks, "stopped, open load: requests due meanwhile")[0].ok


def test_errors_are_counted_as_the_server_counted_them(recording: Recording) -> None:
    assert named(analysis.wrong_responses(recording), "errors recorded")[0].ok
    merged = recording.mutated(answers.merge_errors)
    assert not named(analysis.wrong_responses(merged), "errors recorded")[0].ok


def test_wrk_measures_a_server_that_waits(rig: Rig, tmp_path: Path) -> None:
    if not measure.has_wrk():
        pytest.skip(answers.NO_WRK)
    target = plans(Setting(tmp_path, 7, 100, 1), wrk=True)[-1].targets[0]
    measure.run_wrk(rig, target, f"/wait?ms={WAIT_MS}", tmp_path, 1)
    (pair,) = Recording(tmp_path).other("wrk")
    # No client can be better than the wait.
    assert 0 < pair["rps"] <= 1e3 * USERS / WAIT_MS * 1.05
    assert pair["p50_ms"] >= WAIT_MS * 0.99
