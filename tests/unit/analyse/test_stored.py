"""Stored runs: known ratios in, known ratios out; which settings make runs unlike."""

from pathlib import Path

import pytest

from tests.support import factories
from tests.support.outcomes import Outcome, Outcomes, collapse, no_difference, results_of
from twinbench.analyse.results import Results
from twinbench.analyse.settings import differences
from twinbench.analyse.stored import RunRow, RunsComparison, compare_stored, labelled
from twinbench.plan import Plan
from twinbench.text import UserError

ONE = ("sync",)
AGAIN = {"name": "again", "title": "sync again", "app": "sync:app"}
SYNC = {"name": "sync", "app": "sync:app"}


def posts(ratio: float) -> Outcomes:
    """Return a scenario whose one target has this throughput, relative to 1,000 requests/s."""
    return Outcomes("read_post", {8: Outcome(ratio), 64: Outcome(0.9 * ratio)}, targets=ONE)


def compared(*results: Results, anyway: bool = False) -> RunsComparison:
    runs = labelled([(Path(f"run-{n}"), each) for n, each in enumerate(results)])
    return compare_stored(runs, anyway=anyway)


def row(found: RunsComparison, figure: str, run: str = "B", scenario: str = "read_post") -> RunRow:
    [own] = [r for r in found.rows if (r.figure, r.run, r.scenario) == (figure, run, scenario)]
    return own


def with_cells(results: Results, **changes: object) -> Results:
    """Return results with the same changes to every measurement."""
    cells = [cell.model_copy(update=changes) for cell in results.cells]
    return results.model_copy(update={"cells": cells})


# Figures.


def test_capacity_of_each_later_run_is_relative_to_the_first() -> None:
    found = compared(*(results_of(posts(ratio)) for ratio in (1.0, 0.8, 1.25)))
    for run, ratio in (("B", 0.8), ("C", 1.25)):
        own = row(found, "capacity", run)
        assert own.ratio
        assert own.ratio.low
        assert own.ratio.high
        assert own.ratio.estimate == pytest.approx(ratio)
        assert own.ratio.low < ratio < own.ratio.high
        assert own.excludes_one
        assert own.first
        assert own.first.load == 8


def test_an_interval_around_one_does_not_exclude_it() -> None:
    noisy = {8: no_difference(step=0.04)}
    one, other = Outcomes("read_post", noisy, targets=ONE), posts(1.02)
    found = compared(results_of(one), results_of(other), anyway=True)
    assert not row(found, "capacity").excludes_one


def test_p99_is_compared_at_the_highest_common_load() -> None:
    loads = {50: Outcome(1.0), 100: Outcome(1.5)}
    first = Outcomes("read_post", open={**loads, 200: collapse("sync")}, targets=ONE)
    later = Outcomes(
        "read_post", open={50: Outcome(2), 100: Outcome(3), 200: Outcome()}, targets=ONE
    )
    found = compared(results_of(first), results_of(later))
    own = row(found, "p99")
    assert own.ratio
    assert own.ratio.estimate == pytest.approx(2)
    assert own.first
    assert own.later
    assert (own.first.load, own.later.load) == (100, 100)
    assert not [each for each in found.rows if each.figure == "capacity"]


def test_cpu_time_per_request_is_the_inverse_of_requests() -> None:
    def with_cpu(ratio: float) -> Results:
        results = results_of(posts(1.0))
        cells = [
            cell.model_copy(update={"per_cpu_s": (2000 + 10 * cell.block) / ratio})
            for cell in results.cells
        ]
        points = [
            factories.point(load, 1000, per_cpu_s={"estimate": 2030 / ratio, "low": 1, "high": 9e3})
            for load in (8, 64)
        ]
        curves = [curve.model_copy(update={"points": points}) for curve in results.curves]
        return results.model_copy(update={"cells": cells, "curves": curves})

    own = row(compared(with_cpu(1.0), with_cpu(1.3)), "cpu")
    assert own.ratio
    assert own.ratio.estimate == pytest.approx(1.3)
    assert own.excludes_one
    assert own.later
    assert own.later.value
    assert own.later.value.estimate == pytest.approx(1e3 * 1.3 / 2030)


def test_slo_load_is_two_values_and_says_what_ends_it() -> None:
    loads = {8: Outcome(), 64: Outcome()}
    fine = results_of(Outcomes("read_post", loads, targets=ONE))
    worse = results_of(Outcomes("read_post", {**loads, 64: collapse("sync")}, targets=ONE))
    own = row(compared(fine, worse), "slo_load")
    assert own.first
    assert own.later
    assert (own.first.load, own.first.at_least, own.first.collapsed) == (64, True, False)
    assert (own.later.load, own.later.at_least, own.later.collapsed) == (8, False, True)
    assert own.ratio is None  # of a lower bound


def test_a_single_block_has_a_ratio_without_an_interval() -> None:
    own = row(compared(results_of(posts(1.0)), results_of(posts(0.5), blocks=1)), "capacity")
    assert own.ratio
    assert own.ratio.estimate == pytest.approx(0.5, rel=0.05)
    assert own.ratio.low is None
    assert not own.excludes_one


# The same work.


def with_checks(noop: float, read_post: float) -> Results:
    """Return a run with an A/A check in read_post, whose ratio is 1.05, and with noop."""
    found = results_of(
        Outcomes("noop", {8: Outcome(noop)}, targets=ONE),
        Outcomes("read_post", {8: Outcome(1.05)}, targets=("sync", "again")),
        targets=[SYNC, AGAIN],
    )
    cells = [
        cell.model_copy(update={"throughput_rps": cell.throughput_rps * read_post})
        if cell.scenario == "read_post"
        else cell
        for cell in found.cells
    ]
    return found.model_copy(update={"cells": cells})


@pytest.mark.parametrize(("noop", "moved"), [(1.0, 0.05), (0.9, 1 / 0.9 - 1)])
def test_same_work_moves_by_its_furthest_ratio(noop: float, moved: float) -> None:
    found = compared(with_checks(1.0, 1.0), with_checks(noop, 1.08))
    assert {(each.kind, each.run) for each in found.same_work} == {
        ("A/A", "A"),
        ("A/A", "B"),
        ("noop", "B"),
    }
    assert found.moved["capacity"] == pytest.approx(moved)
    own = next(r for r in found.rows if (r.scenario, r.figure) == ("read_post", "capacity"))
    assert own.beyond_same_work == (moved < 0.08)


def test_without_noop_and_aa_check_the_machine_is_unknown() -> None:
    found = compared(results_of(posts(1.0)), results_of(posts(0.8)))
    assert found.moved == {}
    assert row(found, "capacity").beyond_same_work is None


# Which runs are compared.


def test_what_only_one_run_has_is_listed_and_not_compared() -> None:
    more = Outcomes("noop", {8: Outcome()}, targets=ONE)
    found = compared(results_of(posts(1.0)), results_of(posts(1.0), more))
    assert [(each.scenario, each.missing_in) for each in found.not_shared] == [("noop", ["A"])]
    assert {each.scenario for each in found.rows} == {"read_post"}


def test_runs_without_anything_in_common_are_refused() -> None:
    other = results_of(Outcomes("noop", {8: Outcome()}, targets=ONE))
    with pytest.raises(UserError, match=r"run-1: has no scenario .* in common with run-0"):
        compared(results_of(posts(1.0)), other, anyway=True)


def test_a_run_without_valid_measurements_is_refused() -> None:
    invalid = with_cells(results_of(posts(1.0)), status="invalid")
    with pytest.raises(UserError, match=r"run-1: no valid measurement"):
        compared(results_of(posts(1.0)), invalid, anyway=True)


def test_unlike_runs_are_refused_unless_anyway() -> None:
    first, later = results_of(posts(1.0)), results_of(posts(1.0))
    unlike = later.model_copy(
        update={
            "machine": factories.machine(cpu="another CPU", cores=4),
            "versions": {**later.versions, "fastapi": "1"},
            "target_versions": {"sync": {"granian": "2"}},
        }
    )
    with pytest.raises(UserError, match=r"machine.cpu \(a CPU / another CPU\), .* 1 more"):
        compared(first, unlike)
    found = compared(first, unlike, anyway=True)
    assert {each.key: each.values for each in found.differences} == {
        "machine.cpu": ["a CPU", "another CPU"],
        "machine.cores": ["2", "4"],
        "versions.fastapi": ["0", "1"],
        "targets.sync.versions.granian": [None, "2"],
    }
    assert found.rows


# Settings.


def shop(folder: str = "/home/ann/shop", **changes: object) -> Plan:
    """Return a plan with all kinds of paths in a checkout at `folder`."""
    targets = [
        {
            "name": name,
            "app": "shop.main:app",
            "cwd": f"{folder}/{name}",
            "python": f"{folder}/.venv/bin/python",
            "env": {"DATA": f"sqlite:///{folder}/{name}/data.db"},
        }
        for name in ("before", "after")
    ]
    upload = {"path": "/upload", "method": "POST", "upload": {"file": f"{folder}/load/a.png"}}
    scenario = factories.scenario(closed=[8], requests=[upload])
    return factories.plan(**{"targets": targets, "scenarios": [scenario]} | changes)


def keys(first: Plan, later: Plan) -> list[str]:
    return [each.key for each in differences([factories.results(first), factories.results(later)])]


SCRATCH = "/tmp/twinbench-{}-1760000000-ab12cd"  # noqa: S108


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (shop(), shop("/srv/ci/checkout-2")),
        (shop(SCRATCH.format(41)), shop(SCRATCH.format(4242))),
        (shop(), shop(blocks=9, seed=7, name="other", about="The same.")),
        (shop(), shop(precision="5%")),
    ],
    ids=["checkout", "scratch", "order", "precision"],
)
def test_settings_that_change_no_figure_do_not_differ(first: Plan, later: Plan) -> None:
    assert keys(first, later) == []


def test_windows_chosen_by_time_do_not_differ() -> None:
    first, later = shop(time="10m"), shop(time="10m", measure_s=2.71)
    assert keys(first, later) == []
    assert keys(shop(), shop(measure_s=2.71)) == ["plan.measure_s"]


CHANGED: dict[str, dict[str, object]] = {
    "plan.slo_ms": {"slo_ms": 50},
    "scenarios.noop.closed": {"scenarios": [factories.scenario(closed=[8, 16])]},
    "scenarios.noop.requests.0.body.title": {
        "scenarios": [
            factories.scenario(
                closed=[8], requests=[{"path": "/", "method": "POST", "body": {"title": "b"}}]
            )
        ]
    },
    "targets.sync.env.A": {"targets": [{**SYNC, "env": {"A": "1"}}]},
    "targets.sync.cwd": {"targets": [{**SYNC, "cwd": "/home/ann/other"}]},
    "services.api.app": {"services": [{"name": "api", "app": "a:app"}]},
}


@pytest.mark.parametrize("key", CHANGED)
def test_settings_that_affect_figures_differ(key: str) -> None:
    request = {"path": "/", "method": "POST", "body": {"title": "a"}}
    usual: dict[str, object] = {
        "targets": [SYNC],
        "scenarios": [factories.scenario(closed=[8], requests=[request])],
    }
    assert key in keys(factories.plan(**usual), factories.plan(**(usual | CHANGED[key])))


@pytest.mark.parametrize("key", ["cwd", "import_from"])
def test_folders_of_one_checkout_differ_by_their_names(key: str) -> None:
    def plan(folder: str, after: str) -> Plan:
        own = {"before": f"{folder}/before", "after": f"{folder}/{after}"}
        return shop(targets=[{"name": n, "app": "a:app", key: of} for n, of in own.items()])

    assert keys(plan("/a", "after"), plan("/b", "later")) == [f"targets.after.{key}"]
    one = [shop(targets=[{"name": "sync", "app": "a:app", key: of}]) for of in ("/a/x", "/b/y")]
    assert keys(*one) == []
