"""Servers that behave until the load comes: each cell ends, and says what was wrong."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import wedges
from tests.system.processes import BEHAVING, clean_rig
from tests.system.wedges import FOUR_HUNDRED_A_SECOND, TEN_USERS
from twinbench import exchange
from twinbench.measure.rig import Rig
from twinbench.measure.server import HOST, Server
from twinbench.plan import Load, Target

pytestmark = pytest.mark.serial

READY_S = 120.0

WRONG = {
    "error": "status 500, expected 200",
    "redirect": "status 307, expected 200",
    "garbage": "not HTTP",
    "hang_up": "closed before the answer was complete",
}
WITHOUT_END = ["silent", "drip", "endless", "headers"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    plan = wedges.plan("ok", "die", *WRONG, *WITHOUT_END)
    with clean_rig(plan, tmp_path_factory.mktemp("logs")) as found:
        yield found


@pytest.fixture(params=[TEN_USERS, FOUR_HUNDRED_A_SECOND], ids=lambda load: load.kind)
def load(request: pytest.FixtureRequest) -> Load:
    found: Load = request.param
    return found


@pytest.mark.parametrize("target", WRONG)
def test_wrong_answers_void_the_cell(rig: Rig, tmp_path: Path, target: str, load: Load) -> None:
    record, result = wedges.measured(rig, target, tmp_path, load)
    assert (record.outcome, result.status) == ("done", "invalid")
    assert any(f"responses were wrong, most of them '{WRONG[target]}" in r for r in result.reasons)
    wedges.assert_fine(rig, tmp_path)


@pytest.mark.parametrize("target", WITHOUT_END)
def test_answers_that_never_end_are_a_collapse(
    rig: Rig, tmp_path: Path, target: str, load: Load
) -> None:
    record, result = wedges.measured(rig, target, tmp_path, load)
    assert record.unanswered > 0
    assert (record.outcome, result.status) == ("collapsed", "collapsed")
    said = f"no response for 1 s while {record.unanswered} requests were in flight"
    assert said in result.reasons[0]
    wedges.assert_fine(rig, tmp_path)


def test_a_server_that_dies_is_quoted(rig: Rig, tmp_path: Path, load: Load) -> None:
    record, result = wedges.measured(rig, "die", tmp_path, load)
    assert (record.outcome, result.status) == ("lost", "invalid")
    assert "it exited with code 7; its last output: out of luck" in result.reasons[0]
    wedges.assert_fine(rig, tmp_path)


@pytest.mark.parametrize(
    ("target", "within_s", "said"),
    [
        ("silent", 0.5, "no response within 0.5 s"),
        ("drip", 0.5, "a response that did not end within 0.5 s"),
        ("headers", 60, "a response whose headers did not end (got more than 100 headers)"),
        ("garbage", 60, "no HTTP response"),
        ("hang_up", 60, "no HTTP response"),
    ],
)
def test_before_the_load_too_an_answer_ends(target: str, within_s: float, said: str) -> None:
    assert said in refused(target, within_s)


@pytest.mark.parametrize("target", ["endless", "flood"])
def test_a_response_ends_after_so_many_bytes(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 1 << 20)
    assert refused(target, READY_S) == "a response that did not end after 1 MiB"


def refused(target: str, timeout_s: float) -> str:
    wanted = Target(name=target, command=[sys.executable, str(BEHAVING), "{port}", target, "1"])
    server = Server(wanted)
    try:
        server.wait_until_ready(READY_S)
        with pytest.raises(exchange.ExchangeError) as found:
            exchange.exchange(b"GET / HTTP/1.1\r\n\r\n", HOST, server.port, timeout_s)
    finally:
        server.stop()
    return str(found.value)
