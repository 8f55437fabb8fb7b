"""Conditions of the machine: remarks, badges, and on which machine a run is resumed."""

import ctypes
from pathlib import Path

import pytest

from tests.support import factories
from tests.support.outcomes import Outcome, Outcomes, results_of
from twinbench import run
from twinbench.measure import machine
from twinbench.measure.busy import BusyProcess
from twinbench.measure.machine import Cores, remarks
from twinbench.measure.postgres import Databases
from twinbench.measure.rig import Rig
from twinbench.plan import PlanError
from twinbench.report.method import SHARING, badges, conditions
from twinbench.selfcheck.check import SelfCheckError, run_self_check
from twinbench.store import Machine, Sharing, Store, StoreError

PLAIN = factories.manifest(factories.plan()).machine
GOOD = Outcomes("wait", {8: Outcome(2.0)})
PLAN = """
name = "rates"
targets = [{ name = "one", command = ["./serve"] }]
scenarios = [{ name = "rates", requests = [{ path = "/" }], LOADS }]
"""


def of(**changes: object) -> Machine:
    return PLAIN.model_copy(update=changes)


@pytest.mark.parametrize("sharing", SHARING)
def test_what_server_and_generator_share_is_remarked(sharing: Sharing) -> None:
    (remark,) = remarks(of(sharing=sharing, cpu_quota=1.5), workers=1)
    assert ("1.5 CPUs" in remark) == (sharing == "quota")
    results = results_of(GOOD).model_copy(update={"machine": of(sharing=sharing)})
    found = {badge.text: badge for badge in badges(results, [])}
    assert found[SHARING[sharing]].tone == "bad"
    assert found[SHARING[sharing]].section == "method"


def test_workers_that_share_cores_are_remarked() -> None:
    assert remarks(PLAIN, workers=1) == []
    assert len(remarks(of(server_cores=(2, 3)), workers=3)) == 1
    assert remarks(of(server_cores=(2, 3)), workers=2) == []
    assert remarks(of(server_cores=()), workers=3) == []


def test_a_busy_machine_is_remarked_with_the_processes() -> None:
    busy = [BusyProcess("yes", 77, 0.98)]
    assert remarks(PLAIN, 1, busy) == [
        "The machine was busy before the run: yes (process 77) with 98% of a core."
    ]
    (remark,) = remarks(PLAIN, 1, [BusyProcess("yes", pid, 0.5) for pid in range(5)])
    assert remark.endswith(", and 2 more.")


def test_only_what_is_known_of_a_machine_is_shown() -> None:
    assert conditions(PLAIN) == []
    known = of(turbo=False, virtualization="none", memory_limit_mib=512, load_average=0.0)
    assert len(conditions(known)) == 4


@pytest.mark.parametrize(
    ("change", "same"),
    [({"load_average": 9.0}, True), ({"governor": "powersave"}, False), ({"turbo": False}, False)],
)
def test_a_run_is_resumed_on_the_same_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], same: bool
) -> None:
    store = Store.create(factories.manifest(factories.plan()), tmp_path)
    monkeypatch.setattr(machine, "versions", lambda: store.manifest().versions)
    monkeypatch.setattr(machine, "describe", lambda _: of(**change))
    rig = Rig.__new__(Rig)
    rig.cores, rig.databases = Cores((), ()), Databases((), ())
    if same:
        run._check_same_machine(store, rig)
        return
    with pytest.raises(StoreError, match=f"measured with another {next(iter(change))};"):
        run._check_same_machine(store, rig)


def test_open_loads_without_timerfd_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ctypes.CDLL, "__getattr__")
    (tmp_path / "plan.toml").write_text(PLAN.replace("LOADS", "closed = [1], open = [10]"))
    with pytest.raises(PlanError, match="scenario 'rates' has open loads, which need Linux"):
        run.read_plan_here(tmp_path / "plan.toml")
    (tmp_path / "plan.toml").write_text(PLAN.replace("LOADS", "closed = [1]"))
    assert run.read_plan_here(tmp_path / "plan.toml").scenarios[0].closed == [1]
    with pytest.raises(SelfCheckError, match="it sends open loads, which need Linux"):
        run_self_check(Rig.__new__(Rig), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]
