"""Servers that misbehave, and processes that are killed: each costs its own cell, with a reason."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import faults
from tests.support.faults import CLOSED, GENERATOR, OPEN, SERVER, UPSTREAM, WARM_UP, WINDOW
from tests.support.gated import serving
from tests.support.processes import LONG_S, behaving, clean_rig
from twinbench import exchange
from twinbench.measure.rig import Rig
from twinbench.measure.server import HOST
from twinbench.plan import Load, Target

pytestmark = pytest.mark.serial

WRONG = {
    "error": "status 500, expected 200",
    "redirect": "status 307, expected 200",
    "garbage": "not HTTP",
    "hang_up": "closed before the response was complete",
}
ENDLESS = ["silent", "drip", "endless", "headers"]
KILLED = "was killed by signal 9"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    plan = faults.plan("ok", "wait", "die", *WRONG, *ENDLESS)
    with clean_rig(plan, tmp_path_factory.mktemp("logs")) as found:
        yield found


@pytest.fixture(params=[CLOSED, OPEN], ids=lambda load: load.kind)
def load(request: pytest.FixtureRequest) -> Load:
    found: Load = request.param
    return found


@pytest.mark.parametrize("target", WRONG)
def test_wrong_responses_are_invalid(rig: Rig, tmp_path: Path, target: str, load: Load) -> None:
    record, result = faults.measure(rig, target, tmp_path, load)
    assert (record.outcome, result.status) == ("done", "invalid")
    assert any(f"responses were wrong, most of them '{WRONG[target]}" in r for r in result.reasons)
    faults.assert_fine(rig, tmp_path)


@pytest.mark.parametrize("target", ENDLESS)
def test_endless_responses_are_a_collapse(
    rig: Rig, tmp_path: Path, target: str, load: Load
) -> None:
    record, result = faults.measure(rig, target, tmp_path, load)
    assert record.unanswered > 0
    assert (record.outcome, result.status) == ("collapsed", "collapsed")
    message = f"no response for 1 s while {record.unanswered} requests were in flight"
    assert message in result.reasons[0]
    faults.assert_fine(rig, tmp_path)


def test_a_server_that_dies_is_quoted(rig: Rig, tmp_path: Path, load: Load) -> None:
    record, result = faults.measure(rig, "die", tmp_path, load)
    assert (record.outcome, result.status) == ("lost", "invalid")
    assert record.reason.startswith("'die' died while it was measured")
    assert "it exited with code 7; its last output: out of luck" in result.reasons[0]
    assert "out of luck" in (tmp_path / "server.log").read_text()
    faults.assert_fine(rig, tmp_path)


@pytest.mark.parametrize(
    ("victim", "start", "reason"),
    [
        (SERVER, WINDOW, f"'wait' died while it was measured: it {KILLED}"),
        (GENERATOR, WARM_UP, f"the load generator {KILLED}"),
        (GENERATOR, WINDOW, f"the load generator {KILLED}"),
        (UPSTREAM, WINDOW, f"service 'upstream' died: it {KILLED}"),
    ],
)
def test_a_process_killed_in_a_cell_costs_that_cell(
    rig: Rig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    victim: str,
    start: int,
    reason: str,
) -> None:
    faults.at_start(monkeypatch, start, lambda: faults.kill_and_wait(victim))
    # Without its generator the cell ends at once; a server is checked when the load has ended.
    scenario = "long" if victim == GENERATOR else "get"
    record, result = faults.measure(rig, "wait", tmp_path, scenario=scenario)
    assert record.outcome == "lost"
    assert re.match(reason, record.reason)
    assert (result.status, result.reasons) == ("invalid", [record.reason])
    monkeypatch.undo()
    faults.assert_fine(rig, tmp_path)


@pytest.mark.parametrize("victim", [SERVER, GENERATOR])
def test_a_process_killed_between_cells_costs_the_next(
    rig: Rig, tmp_path: Path, victim: str
) -> None:
    faults.assert_fine(rig, tmp_path)
    faults.kill_and_wait(victim)
    record, _ = faults.measure(rig, "ok", tmp_path)
    assert record.outcome == "lost"
    assert KILLED in record.reason
    faults.assert_fine(rig, tmp_path)


def test_a_service_killed_between_cells_is_replaced(rig: Rig, tmp_path: Path) -> None:
    faults.assert_fine(rig, tmp_path)
    faults.kill_and_wait(UPSTREAM)
    faults.assert_fine(rig, tmp_path)


def test_one_killed_generator_process_ends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rig(faults.plan("ok", "wait", processes=2), tmp_path) as rig:
        faults.at_start(monkeypatch, WINDOW, lambda: faults.kill(GENERATOR, which=1))
        record, _ = faults.measure(rig, "wait", tmp_path, scenario="long")
        assert record.outcome == "lost"
        assert record.reason.startswith(f"the load generator {KILLED}")
        monkeypatch.undo()
        faults.assert_fine(rig, tmp_path)


@pytest.mark.parametrize(
    ("target", "timeout_s", "message"),
    [
        ("silent", 0.5, "within 0.5 s"),
        ("drip", 0.5, "a response that did not end within 0.5 s"),
        ("headers", 60, "a response whose headers did not end (got more than 100 headers)"),
        ("garbage", 60, "no HTTP"),
        ("hang_up", 60, "no HTTP"),
    ],
)
def test_setup_ends_without_a_response(target: str, timeout_s: float, message: str) -> None:
    assert message in exchange_error(target, timeout_s)


@pytest.mark.parametrize("target", ["endless", "flood"])
def test_setup_ends_after_too_many_bytes(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 1 << 20)
    assert exchange_error(target, LONG_S) == "a response that did not end after 1 MiB"


def exchange_error(target: str, timeout_s: float) -> str:
    """Return the error of an exchange with a server that misbehaves."""
    wanted = Target(name=target, command=behaving(target, "1"))
    with serving(wanted) as server, pytest.raises(exchange.ExchangeError) as found:
        exchange.exchange(b"GET / HTTP/1.1\r\n\r\n", HOST, server.port, timeout_s)
    return str(found.value)
