"""Whatever was found, the answer is true: read back by a reader that shares no code with it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import supposed, truth
from tests.supposed import VOID, Made, Outcome, level, stops
from twinbench.report.answer import Said, answer

outcomes = st.one_of(
    st.builds(Outcome, st.floats(min_value=0.05, max_value=20), lost=st.integers(0, 1)),
    st.floats(min_value=0.03, max_value=3).map(level),
    st.just(VOID),
    st.builds(
        lambda names, times: stops(*names, times=times),
        st.sampled_from([("sync",), ("async",), ("sync", "async")]),
        st.integers(min_value=1, max_value=2),
    ),
)
loads = st.dictionaries(st.sampled_from([1, 8, 64, 256]), outcomes, min_size=1)


@st.composite
def tables(draw: st.DrawFn) -> list[Made]:
    count = draw(st.integers(min_value=1, max_value=9))
    return [
        Made(f"s{n}", draw(loads), draw(st.just({}) | loads), draw(st.sampled_from(WORK)))
        for n in range(count)
    ]


WORK = ["io", "cpu", "mixed"]


@settings(deadline=None, max_examples=60)  # a machine that pauses is no error
@given(tables(), st.sampled_from([0, 1, 3, 5, 6]))
def test_every_sentence_is_true_of_the_results(made: list[Made], names: int) -> None:
    results = supposed.results(*made, blocks=2)
    found = answer(results, names)
    assert found
    for said in found:
        truth.check(said, results)


@settings(deadline=None, max_examples=60)
@given(tables())
def test_every_comparison_that_is_decided_is_in_a_sentence(made: list[Made]) -> None:
    """What nobody would notice to be missing: a scenario that no sentence counts."""
    results = supposed.results(*made, blocks=2)
    cited = {number for said in answer(results) for number in said.cells}
    decided = {(c.scenario, c.load) for c in results.comparisons if c.decision in DECIDED}
    assert decided <= {(c.scenario, c.load) for c in results.cells if c.id in cited}


DECIDED = ("faster", "slower")
TRUE = supposed.results(Made("wait", {1: level(), 64: Outcome(2.0), 128: stops("sync")}))
SAID = [said.text for said in answer(TRUE)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("2.00×", "2.10×"),
        ("1.96 to", "1.90 to"),
        ("async answers", "sync answers"),
        ("wait at 64 users:", "wait at 1 user:"),
        ("at 128 users (5 of 5", "at 128 users (4 of 5"),
        ("at 128 users (5", "at 64 users (5"),
        ("sync stops", "async stops"),
    ],
)
def test_the_reader_finds_what_is_false(right: str, wrong: str) -> None:
    [text] = [text for text in SAID if right in text]
    cells = next(said.cells for said in answer(TRUE) if said.text == text)
    with pytest.raises((AssertionError, StopIteration)):
        truth.check(Said(text.replace(right, wrong, 1), None, cells), TRUE)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(up to 3.00×, 95", "(up to 2.90×, 95"),
        ("95 %: 2.94", "95 %: 2.90"),
        ("read at 1 user (1.50×)", "read at 1 user (2.50×)"),
        ("read at 1 user (1.50×)", "read at 1 user (up to 1.50×)"),
        ("read at 1 user", "read at 64 users"),
        ("async answers", "sync answers"),
    ],
)
def test_the_reader_finds_what_is_false_of_each_scenario(right: str, wrong: str) -> None:
    results = supposed.results(
        Made("wait", {1: Outcome(2.0), 64: Outcome(3.0)}), Made("read", {1: Outcome(1.5)})
    )
    [said] = answer(results, 5)
    truth.check(said, results)
    with pytest.raises(AssertionError):
        truth.check(replace(said, text=said.text.replace(right, wrong, 1)), results)


def test_the_reader_finds_cells_that_are_not_those_of_the_sentence() -> None:
    said = answer(TRUE)[0]
    with pytest.raises(AssertionError):
        truth.check(replace(said, cells=said.cells[:5]), TRUE)
