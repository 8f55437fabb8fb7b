"""What is said of one scenario beyond who is ahead: tails, and what cannot be compared."""

from tests import supposed
from tests.supposed import Made, Outcome, level, stops
from twinbench.analyse.results import Decision, Estimate, Results
from twinbench.report.verdicts import summary


def with_tails(results: Results, *decisions: Decision) -> Results:
    """p99 of the candidate, by load: `slower` is 4 times, `faster` a quarter of the baseline's."""
    tails = results.compared("wait", "closed", "p99")
    for tail, decision in zip(tails, decisions, strict=True):
        tail.decision = decision
        tail.ratio = Estimate(estimate={"slower": 4.0, "faster": 0.25}.get(decision, 1.0))
    return results


def test_a_tail_is_named_only_where_it_goes_another_way_than_the_throughput() -> None:
    made = Made("wait", {1: Outcome(1.5), 8: Outcome(1.5), 64: level(), 128: Outcome(1.5)})
    results = with_tails(supposed.results(made), "slower", "faster", "slower", "slower")
    assert summary(results, "wait")[-1] == (
        "The p99 of sync is the lower one at 1 user and 64 to 128 users: 0.25× that of async."
    )
    assert sum("p99" in line for line in summary(results, "wait")) == 1


def test_what_cannot_be_compared_is_said_unless_somebody_stopped_answering() -> None:
    made = Made("wait", {1: level(), 8: supposed.VOID, 64: stops("sync")})
    assert summary(supposed.results(made), "wait") == [
        "sync stops answering at 64 users (5 of 5 blocks).",
        "No difference between sync and async shown at 1 user, where one of 12 % or more would"
        " probably have been.",
        "Not compared at 8 users: no valid cells of sync and async.",
    ]


def test_remarks_beside_a_decision_do_not_part_its_loads() -> None:
    results = supposed.results(Made("wait", {1: level(), 8: level()}))
    results.compared("wait", "closed", "throughput")[1].reasons.append("beyond the margin alone")
    [sentence] = summary(results, "wait")
    assert sentence.startswith("No difference between sync and async shown at 1 to 8 users")
