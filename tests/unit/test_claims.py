"""From conditions to verdicts: made-up results with known answers."""

import pytest

from tests.claimed import FULL, USERS, blocks, cell, claim, compared, results
from twinbench.analyse.claims import judge
from twinbench.analyse.claims.condition import agreed
from twinbench.analyse.claims.scene import Scene
from twinbench.analyse.results import CellResult, Comparison, Results, Verdict
from twinbench.plan import Load, Plan

WAIT = {
    "kind": "ratio",
    "scenario": "wait",
    "closed": [128],
    "metric": "throughput",
    "more_than": 2.0,
}
FETCH = WAIT | {"scenario": "fetch"}
Interval = tuple[float, float]
AHEAD, BEHIND, BETWEEN = (2.5, 3.0), (0.9, 1.1), (1.8, 2.2)

FOR_IT = "but supported: in wait, async / sync by throughput is 2.74× at 128 users"


def both(scenario: str, load: Load = USERS) -> list[CellResult]:
    return [cell(scenario, target, load) for target in ("sync", "async")]


def of(**intervals: Interval | None) -> Results:
    """Results of some scenarios at 128 users."""
    cells = [made for scenario in intervals for made in both(scenario)]
    return results(cells, [compared(name, found) for name, found in intervals.items()])


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "undecided"], "undecided"),
        (["supported", "refuted"], "refuted"),
        (["undecided", "refuted"], "refuted"),
        ([], "undecided"),
    ],
)
def test_all_have_to_agree_and_one_refutes(verdicts: list[Verdict], expected: Verdict) -> None:
    assert agreed(verdicts) == expected


@pytest.mark.parametrize(
    ("wait", "fetch", "expected"),
    [
        (AHEAD, AHEAD, "supported"),
        (AHEAD, BETWEEN, "undecided"),
        (AHEAD, BEHIND, "refuted"),
    ],
)
def test_a_claim_is_what_its_conditions_say(
    wait: Interval, fetch: Interval, expected: Verdict
) -> None:
    [found] = judge([claim(WAIT, FETCH)], of(wait=wait, fetch=fetch))
    assert found.verdict == expected
    assert [each.scenario for each in found.evidence] == ["wait", "fetch"]


def test_one_load_with_the_opposite_refutes() -> None:
    condition = WAIT | {"closed": [64, 128]}
    low = Load("closed", 64)
    comparisons = [compared("wait", BEHIND, load=low), compared("wait", AHEAD)]
    cells = both("wait", low) + both("wait")
    [found] = judge([claim(condition)], results(cells, comparisons))
    assert found.verdict == "refuted"
    assert "64 users" in found.because
    assert found.because.endswith(
        "(needed: more than 2×); but supported: in wait 2.74× at 128 users."
    )
    assert found.in_part
    assert "128 users" in found.evidence[0].said


def test_because_says_what_decided_with_figures() -> None:
    [found] = judge([claim(WAIT, FETCH)], of(wait=AHEAD, fetch=BEHIND))
    assert found.because == (
        "In fetch, async / sync by throughput is 0.995× (0.9 to 1.1) at 128 users"
        " (needed: more than 2×); but supported: in wait 2.74× at 128 users."
    )


def test_what_nothing_speaks_for_is_refuted_altogether() -> None:
    [found] = judge([claim(WAIT, FETCH)], of(wait=BETWEEN, fetch=BEHIND))
    assert not found.in_part
    assert found.because.endswith("(needed: more than 2×).")


def test_what_speaks_for_a_claim_is_not_said_where_all_does() -> None:
    [found] = judge([claim(WAIT, FETCH)], of(wait=AHEAD, fetch=AHEAD))
    assert (found.verdict, found.in_part) == ("supported", False)
    assert "but" not in found.because


def test_of_a_run_without_its_cells_nothing_is_said() -> None:
    assert judge([claim(WAIT, FETCH)], results()) == []


def test_what_was_not_measured_leaves_it_undecided() -> None:
    [found] = judge([claim(WAIT, FETCH)], of(wait=AHEAD))
    assert found.verdict == "undecided"
    assert found.because == f"Not measured: fetch at 128 users; {FOR_IT}."
    assert [each.cells for each in found.evidence] == [[1, 101], []]


def test_what_two_conditions_lack_is_said_once() -> None:
    [found] = judge([claim(WAIT, FETCH, FETCH | {"more_than": 3.0})], of(wait=AHEAD))
    assert found.because == f"Not measured: fetch at 128 users; {FOR_IT}."


def test_a_load_that_was_not_measured_leaves_it_undecided() -> None:
    [found] = judge([claim(WAIT | {"closed": [128, 256]})], of(wait=AHEAD))
    assert found.verdict == "undecided"
    assert found.because == f"Not measured: wait at 256 users; {FOR_IT}."


def test_what_refutes_does_so_whatever_else_was_measured() -> None:
    [found] = judge([claim(WAIT, FETCH)], of(wait=BEHIND))
    assert found.verdict == "refuted"


def test_evidence_names_all_cells_that_were_looked_at() -> None:
    cells = [
        *blocks("wait", "sync", "throughput_rps", [1.0, 2.0]),
        *blocks("wait", "async", "throughput_rps", [1.0, 2.0]),
        cell("wait", "sync", Load("closed", 64), 3),
        cell("fetch", "sync", USERS, 4),
    ]
    [found] = judge([claim(WAIT)], results(cells, [compared("wait", AHEAD)]))
    assert found.evidence[0].cells == [1, 2, 101, 102]


def changed(named: str, update: dict[str, object]) -> Plan:
    """The full plan with something else in the scenario or target of that name."""
    table = FULL.model_dump(exclude_none=True)
    for item in (*table["scenarios"], *table["targets"]):
        if item["name"] == named:
            item.update(update)
    return Plan.model_validate(table)


def verdicts_of(scenario: str, plan: Plan) -> list[Verdict]:
    found = results(both(scenario), [compared(scenario, AHEAD)], plan)
    return [judged.verdict for judged in judge([claim(WAIT)], found)]


@pytest.mark.parametrize(
    ("named", "update"),
    [
        ("wait", {"requests": [{"path": "/workload/wait?ms=500"}]}),
        ("wait", {"targets": ["async", "sync"]}),
        ("wait", {"targets": ["sync", "sync_again"]}),
        ("sync", {"app": "my.app:app"}),
        ("sync", {"env": {"BLOG_POOL_SIZE": "1"}}),
    ],
)
def test_another_scenario_of_that_name_is_not_judged(named: str, update: dict[str, object]) -> None:
    assert verdicts_of("wait", changed("wait", {})) == ["supported"]
    assert verdicts_of("wait", changed(named, update)) == []


def test_files_to_upload_may_lie_elsewhere() -> None:
    text = FULL.model_dump_json(exclude_none=True).replace("scenarios/picture", "elsewhere/picture")
    moved = Plan.model_validate_json(text)
    assert moved.scenario("blog_mix") != FULL.scenario("blog_mix")
    for plan in (FULL, moved):
        assert Scene(results(plan=plan), "blog_mix").is_ours


def test_the_same_work_under_another_name_is_not_judged() -> None:
    assert verdicts_of("wait_for_me", changed("wait", {"name": "wait_for_me"})) == []


def test_a_full_plan_of_other_apps_makes_no_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = changed("async", {"app": "my.app:app"})
    monkeypatch.setattr("twinbench.analyse.claims.scene._full", lambda: theirs)
    assert verdicts_of("wait", theirs) == []


def test_another_plan_with_the_same_scenario_is_judged_under_its_own_names() -> None:
    """The twins may be called otherwise, and stand beside others."""
    table = FULL.model_dump(exclude_none=True)
    names = {"sync": "threads", "async": "loop"}
    for target in table["targets"]:
        target["name"] = names.get(target["name"], target["name"])
    table["scenarios"] = [s for s in table["scenarios"] if s["name"] == "wait"]
    table["scenarios"][0]["targets"] = ["threads", "sync_again", "loop"]
    found = Comparison.model_validate(
        compared("wait", AHEAD).model_dump() | {"baseline": "threads", "candidate": "loop"}
    )
    cells = [cell("wait", "threads", block=1), cell("wait", "loop", block=2)]
    [judged] = judge([claim(WAIT)], results(cells, [found], Plan.model_validate(table)))
    assert judged.verdict == "supported"
    assert "loop / threads" in judged.because
    assert judged.evidence[0].cells == [1, 2]


def test_loads_with_one_figure_are_told_together() -> None:
    condition = WAIT | {"closed": [64, 128, 256]}
    loads = [Load("closed", users) for users in (64, 128, 256)]
    cells = [made for load in loads for made in both("wait", load)]
    stopped = [compared("wait", None, load=load, survivor="async") for load in loads[1:]]
    [found] = judge(
        [claim(condition)], results(cells, [compared("wait", (3.0, 3.0), load=loads[0]), *stopped])
    )
    assert found.because == (
        "In wait, async / sync by throughput is 3× (3 to 3) at 64 users and infinite (only async"
        " answers) at 128 and 256 users (needed: more than 2×)."
    )
