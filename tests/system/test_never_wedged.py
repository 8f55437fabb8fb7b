"""Processes killed and stopped at any moment: it costs the cell it befalls, with its reason."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import wedges
from tests.system.processes import clean_rig
from tests.system.wedges import GENERATOR, SERVER, UPSTREAM, WARM_UP, WINDOW
from twinbench.measure.rig import Rig

pytestmark = pytest.mark.serial
KILL, STOP = signal.SIGKILL, signal.SIGSTOP
ENDED = {KILL: "was ended by signal 9", STOP: "was stopped by signal 19, and ended"}
UPSTREAM_DIED = "the external API that the apps call died while it was measured: it {}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with clean_rig(wedges.plan("ok", "wait"), tmp_path_factory.mktemp("logs")) as found:
        yield found


@pytest.mark.parametrize(
    ("victim", "moment", "number", "said"),
    [
        (SERVER, WINDOW, KILL, "'wait' died while it was measured: it {}"),
        (GENERATOR, WARM_UP, STOP, "the load generator {}"),
        (GENERATOR, WINDOW, KILL, "the load generator {}"),
        (UPSTREAM, WARM_UP, STOP, UPSTREAM_DIED),
        (UPSTREAM, WINDOW, KILL, UPSTREAM_DIED),
    ],
)
def test_what_is_killed_or_stopped_in_mid_cell_costs_that_cell(
    rig: Rig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    victim: str,
    moment: int,
    number: signal.Signals,
    said: str,
) -> None:
    wedges.at_moment(monkeypatch, moment, lambda: wedges.hit_and_wait(victim, number))
    # Without its generator the cell ends at once; of the others it is seen when it has ended.
    scenario = "long" if victim == GENERATOR else "get"
    record, result = wedges.measured(rig, "wait", tmp_path, scenario=scenario)
    assert record.outcome == "lost"
    assert record.reason.startswith(said.format(ENDED[number]))
    assert (result.status, result.reasons) == ("invalid", [record.reason])
    monkeypatch.undo()
    wedges.assert_fine(rig, tmp_path)


def test_a_server_that_is_stopped_in_mid_cell_has_collapsed(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wedges.at_moment(monkeypatch, WARM_UP, lambda: wedges.hit(SERVER, STOP))
    record, result = wedges.measured(rig, "wait", tmp_path, scenario="long")
    assert (record.outcome, result.status) == ("collapsed", "collapsed")
    assert result.reasons[0].startswith("no response for 1 s while")
    monkeypatch.undo()
    wedges.assert_fine(rig, tmp_path)


@pytest.mark.parametrize(("victim", "number"), [(SERVER, KILL), (GENERATOR, STOP)])
def test_between_cells_it_costs_the_next_one(
    rig: Rig, tmp_path: Path, victim: str, number: signal.Signals
) -> None:
    wedges.assert_fine(rig, tmp_path)
    wedges.hit_and_wait(victim, number)
    record, _ = wedges.measured(rig, "ok", tmp_path)
    assert record.outcome == "lost"
    assert ENDED[number] in record.reason
    wedges.assert_fine(rig, tmp_path)


def test_an_upstream_api_that_is_stopped_between_cells_is_replaced(
    rig: Rig, tmp_path: Path
) -> None:
    wedges.assert_fine(rig, tmp_path)
    wedges.hit_and_wait(UPSTREAM, STOP)
    wedges.assert_fine(rig, tmp_path)


def test_one_of_several_generators_takes_the_others_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rig(wedges.plan("ok", "wait", processes=2), tmp_path) as rig:
        wedges.at_moment(monkeypatch, WINDOW, lambda: wedges.hit(GENERATOR, KILL, which=1))
        record, _ = wedges.measured(rig, "wait", tmp_path, scenario="long")
        assert record.outcome == "lost"
        assert record.reason.startswith(f"the load generator {ENDED[KILL]}")
        monkeypatch.undo()
        wedges.assert_fine(rig, tmp_path)
