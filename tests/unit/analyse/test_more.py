"""Blocks to add to a run: which, how many, and for how long."""

from collections import Counter

from tests.support import outcomes, runs
from tests.support.outcomes import Outcome, Outcomes
from twinbench.analyse import more
from twinbench.analyse.results import Results
from twinbench.plan import AddedBlock, Load, cells
from twinbench.store import CellRecord

EIGHT, HUNDRED = Load("closed", 8), Load("closed", 100)
COST_S = 10.0  # of a block of one load: both targets
BLOCKS = 10  # fewer are too few for any precision


def run(step: float = 0.01, **plan: object) -> Results:
    """Results of ten blocks at two loads; the ratio at 100 users differs by `step` in blocks."""
    at = {8: Outcome(step=0.001), 100: Outcome(step=step)}
    results = outcomes.results_of(Outcomes("noop", at), blocks=BLOCKS)
    return results.model_copy(update={"plan": results.plan.model_copy(update=plan)})


def records(results: Results) -> list[CellRecord]:
    return [runs.record(cell, took_s=COST_S / 2) for cell in cells(results.plan, results.added)]


def repeats(results: Results) -> list[AddedBlock]:
    return more.repeats(results.plan, results.added, results.cells, records(results))


def for_precision(results: Results, seconds: float) -> list[AddedBlock]:
    compared = results.comparisons
    return more.for_precision(results.plan, results.cells, compared, records(results), seconds)


def disturb(results: Results, *where: tuple[int, Load]) -> Results:
    """Results in which the machine disturbed the baseline in these blocks and loads."""
    found = [
        cell.model_copy(update={"status": "invalid", "disturbed": True})
        if cell.target == "sync" and (cell.block, cell.load) in where
        else cell
        for cell in results.cells
    ]
    return results.model_copy(update={"cells": found})


def test_nothing_is_repeated_in_a_calm_run() -> None:
    assert repeats(run()) == []


def test_disturbed_load_is_repeated_in_a_new_block() -> None:
    results = disturb(run(), (2, EIGHT))
    (added,) = repeats(results)
    assert added == AddedBlock(block=11, scenario="noop", loads=[EIGHT], reason="disturbed")
    again = results.model_copy(update={"added": [added]})
    assert repeats(again) == []


def test_repeats_end_at_a_tenth_of_the_time() -> None:
    """Ten blocks of two loads take 200 s: a tenth are two of them."""
    results = disturb(run(), *((block, EIGHT) for block in range(1, 5)))
    assert len(repeats(results)) == 2


def test_wide_intervals_get_blocks_first() -> None:
    results = run(0.2, precision="5%")
    enough = for_precision(results, 1000)
    assert {load for each in enough for load in each.loads} == {HUNDRED}
    assert [each.block for each in enough] == list(range(11, 11 + len(enough)))
    assert {each.reason for each in enough} == {"precision"}
    assert for_precision(results, COST_S - 1) == []


def test_precision_looks_at_widths_only() -> None:
    """The same spread around another ratio needs the same blocks."""

    def needed(ratio: float) -> Counter[int]:
        at = {8: Outcome(ratio, 0.2)}
        results = outcomes.results_of(Outcomes("noop", at), blocks=BLOCKS)
        plan = results.plan.model_copy(update={"precision": "5%"})
        results = results.model_copy(update={"plan": plan})
        return Counter(each.block for each in for_precision(results, 1e4))

    assert needed(1.0) == needed(3.0) != Counter()


def test_without_precision_no_block_is_added() -> None:
    assert for_precision(run(0.2), 1000) == []
