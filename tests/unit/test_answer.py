"""The answer on made-up results: true where something is shown, silent where nothing is."""

import pytest

from tests import supposed, truth
from tests.supposed import VOID, Made, Outcome, level, stops
from twinbench.analyse.results import Crossover, Results
from twinbench.report.answer import Said, answer

WAIT = Made("wait", {1: level(), 64: Outcome(2.0), 128: Outcome(3.1)})
READ = Made("read", {1: Outcome(0.8), 64: Outcome(0.5), 128: Outcome(0.64)})
LEVEL = Made("even", {1: level(0.05), 64: level(0.118)})


def said(results: Results) -> list[str]:
    """The sentences, each read back and held against the results."""
    found = answer(results)
    for sentence in found:
        truth.check(sentence, results)
    return [sentence.text for sentence in found]


def test_scenarios_are_counted_by_kind_of_work_and_named_with_their_loads() -> None:
    mixed = Made("mix", {1: Outcome(1.2), 8: level()}, kind="mixed")
    assert said(supposed.results(WAIT, READ, LEVEL, mixed)) == [
        "IO (waiting, databases): async answers more requests a second in 1 of 3 scenarios (wait"
        " from 64 users on): up to 3.10× as many (95 %: 3.04 to 3.16; wait at 128 users); sync in 1"
        " of 3 (read at every load): up to 2.00× as many (95 %: 1.96 to 2.04; read at 64 users); no"
        " difference is shown in 1 of 3 (even), where one of 12 % or more would probably have"
        " been.",
        "Mixed: async answers more requests a second in mix at 1 user: 1.20× as many"
        " (95 %: 1.18 to 1.22; mix at 1 user).",
    ]


def test_a_sentence_cites_the_valid_cells_of_its_scenarios() -> None:
    cpu = Made("burn", {1: Outcome(1.2), 8: VOID}, kind="cpu")
    results = supposed.results(WAIT, READ, cpu)
    of_io, of_cpu = answer(results)
    assert (of_io.scenario, of_cpu.scenario) == (None, "burn")
    assert set(of_cpu.cells) == {
        cell.id for cell in results.cells if (cell.scenario, cell.status) == ("burn", "valid")
    }
    assert len(of_io.cells) == 2 * 2 * 3 * 5


CROSSING = Crossover(
    scenario="wait",
    load_kind="closed",
    metric="throughput",
    baseline="sync",
    candidate="async",
    found="crossover",
    at=41.3,
    low=33,
    high=52,
)


def test_a_crossing_is_named_where_it_was_found() -> None:
    turns = Made("wait", {1: Outcome(0.8), 64: Outcome(2.0), 128: Outcome(3.0)})
    [sentence] = said(supposed.results(turns, crossovers=[CROSSING]))
    assert "async answers more requests a second in wait from about 41 users (33 to 52) on:" in (
        sentence
    )
    assert "sync in wait at 1 user: 1.25× as many" in sentence


def test_who_falls_back_again_is_not_ahead_from_a_crossing_on() -> None:
    """Nor is it the other one, if the crossing is its rival's."""
    falls_back = Made("wait", {1: Outcome(0.8), 64: Outcome(2.0), 128: level()})
    [sentence] = said(supposed.results(falls_back, crossovers=[CROSSING]))
    assert "async answers more requests a second in wait at 64 users:" in sentence
    turns = Made("wait", {1: Outcome(2.0), 64: Outcome(0.8), 128: Outcome(0.7)})
    [sentence] = said(supposed.results(turns, crossovers=[CROSSING]))
    assert "sync in wait from 64 users on:" in sentence
    reverse = CROSSING.model_copy(update={"found": "reverse"})
    [sentence] = said(supposed.results(turns, crossovers=[reverse]))
    assert "sync in wait from about 41 users (33 to 52) on:" in sentence


def test_variants_of_a_pair_count_with_it_under_both_names() -> None:
    sized = Made("sized", {1: Outcome(1.5)}, targets=("sync_sized", "async_sized"))
    [sentence] = said(supposed.results(WAIT, sized))
    assert sentence.startswith(
        "IO (waiting, databases): async (or async_sized) answers more requests a second in 2 of 2"
        " scenarios"
    )


def test_other_pairs_have_sentences_of_their_own() -> None:
    three = Made("wait", {1: {"b": Outcome(1.5), "c": Outcome(0.5)}}, targets=("a", "b", "c"))
    assert said(supposed.results(three)) == [
        "a and b: b answers more requests a second in wait at 1 user: 1.50× as many"
        " (95 %: 1.47 to 1.53; wait at 1 user).",
        "a and c: a answers more requests a second in wait at 1 user: 2.00× as many"
        " (95 %: 1.96 to 2.04; wait at 1 user).",
    ]


def test_who_stops_answering_is_said_with_the_cells_in_which_it_did() -> None:
    falls = Made("read", {8: Outcome(0.8), 64: stops("sync", times=3), 128: stops("sync")})
    first, second = said(supposed.results(falls))
    assert first.startswith(
        "IO (waiting, databases): sync answers more requests a second in read at 8 users"
    )
    assert second == (
        "sync stops answering in read from 64 users on (8 of 10 cells), where async goes on."
    )


def test_when_both_stop_nobody_is_said_to_go_on() -> None:
    both = Made("read", {8: stops("sync", "async", times=4)})
    assert said(supposed.results(both)) == [
        "sync and async stop answering in read at 8 users (8 of 10 cells)."
    ]


def test_open_loads_speak_of_who_answers_sooner() -> None:
    rates = Made("rates", open={100: Outcome(0.5), 400: Outcome(0.4)})
    assert said(supposed.results(rates)) == [
        "At equal rates: async has the lower p99 in rates at every rate: down to"
        " 0.40× the other's (95 %: 0.39 to 0.41; rates at 400 requests/s)."
    ]


@pytest.mark.parametrize(
    ("made", "blocks", "why"),
    [
        (
            Made("a", {1: VOID, 8: VOID}),
            5,
            f"all 20 cells are void, for example: {supposed.VOID_REASON}",
        ),
        (Made("a", {1: Outcome(3.0)}), 1, "one block alone has no interval"),
    ],
)
def test_where_nothing_can_be_said_the_reason_is(made: Made, blocks: int, why: str) -> None:
    assert answer(supposed.results(made, blocks=blocks)) == [
        Said(f"Nothing can be said: {why}.", None, [])
    ]


def test_a_run_without_cells_says_so() -> None:
    empty = supposed.results(WAIT).model_copy(update={"cells": [], "comparisons": [], "curves": []})
    assert [s.text for s in answer(empty)] == [
        "Nothing can be said: nothing has been measured yet."
    ]


def test_what_nothing_is_known_of_is_named_beside_what_is() -> None:
    [sentence] = said(supposed.results(WAIT, Made("lost", {1: VOID})))
    assert sentence.endswith("; nothing can be said of lost (no valid cells of sync and async).")


def test_noise_that_hides_more_than_a_factor_of_two_is_given_as_a_factor() -> None:
    [sentence] = said(supposed.results(Made("noisy", {1: level(1.4), 8: level(0.2)})))
    assert sentence == (
        "IO (waiting, databases): no difference is shown in noisy, where even one of 2.4× might"
        " have been missed."
    )


def test_one_target_twice_is_no_winner_and_throws_doubt_on_others() -> None:
    good = Made("twice", {8: Outcome(1.0, same=True)}, targets=("sync", "again"))
    bad = Made("twice", {8: Outcome(1.1, same=True)}, targets=("sync", "again"))
    assert said(supposed.results(WAIT, good)) == said(supposed.results(WAIT))
    alarm, *others = said(supposed.results(WAIT, bad))
    assert others == said(supposed.results(WAIT))
    assert alarm == (
        "Mind: sync and again are one target twice, and in twice again is shown to be ahead at 8"
        " users all the same (1.10×): elsewhere, too, a difference like that may be noise."
    )
    assert said(supposed.results(good)) == [
        "sync and again are one target twice, and in twice no difference is shown, as it must be,"
        " where one of 5 % or more would probably have been."
    ]


def test_a_target_alone_is_described() -> None:
    alone = supposed.results(Made("solo", {1: Outcome(), 8: Outcome()}, targets=("async",)))
    assert [(s.text, s.scenario) for s in answer(alone)] == [
        ("solo: async answers up to 1,000 requests a second, at 1 user.", "solo")
    ]


def test_targets_that_are_meant_to_differ_are_named_as_such() -> None:
    targets = [
        {"name": "sync", "app": "a:app"},
        {"name": "async", "app": "b:app", "differs": "it caches <everything>"},
    ]
    [sentence] = said(supposed.results(WAIT, targets=targets))
    assert sentence.endswith("; mind that async and sync are meant to differ.")


def test_of_many_scenarios_the_strongest_are_named() -> None:
    many = [Made(f"s{n}", {1: Outcome(2.0 + n)}) for n in range(9)]
    [full] = said(supposed.results(*many))
    assert "in 9 of 9 scenarios (s8, s7, s6, s5, s4 and s3 at 1 user, 3 more): up to 10.00×" in full
    [brief] = answer(supposed.results(*many), names=0)
    truth.check(brief, supposed.results(*many))
    assert "in 9 of 9 scenarios: up to 10.00× in s8 (95 %: 9.80 to" in brief.text


def test_in_brief_each_scenario_has_its_own_ratio_and_the_largest_of_a_side_its_interval() -> None:
    fetch = Made("fetch", {1: level(), 64: Outcome(1.2), 128: Outcome(1.1)})
    results = supposed.results(fetch, WAIT, READ, LEVEL)
    [sentence] = answer(results, names=5)
    truth.check(sentence, results)
    assert sentence.text == (
        "IO (waiting, databases): async answers more a second in wait from 64 users on (up to"
        " 3.10×, 95 %: 3.04 to 3.16) and fetch from 64 users on (up to 1.20×); sync in read at"
        " every load (up to 2.00×, 95 %: 1.96 to 2.04); no difference is shown in even."
    )


def test_in_brief_so_many_are_named_and_the_others_counted() -> None:
    many = supposed.results(*[Made(f"s{n}", {1: Outcome(2.0 + n)}) for n in range(4)])
    [sentence] = answer(many, names=2)
    truth.check(sentence, many)
    assert sentence.text.endswith(
        " in s3 at 1 user (5.00×, 95 %: 4.90 to 5.10), s2 at 1 user (4.00×) and 2 more."
    )


def test_the_first_interval_says_what_it_is() -> None:
    found = [s.text for s in answer(supposed.results(WAIT, READ), names=0)]
    assert [text.count("95 %: ") for text in found] == [1]
    assert found[0].index("95 %: 3.04 to 3.16") < found[0].index("(1.96 to 2.04)")
