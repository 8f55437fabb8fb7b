"""Whose turn it is, and for how long."""

from itertools import pairwise

import pytest

from twinbench.measure.turns import LEAST_WINDOW_S, Turns


def sequence(
    turns: Turns, round_s: float = 0.0, over: tuple[int, ...] = ()
) -> list[tuple[int, float]]:
    """Return target and seconds of each turn."""
    found = []
    while (target := turns.next(over)) is not None:
        turns.allow(target, round_s)
        found.append((target, round(turns.take(target), 6)))
    return found


@pytest.mark.parametrize(
    ("targets", "windows", "expected"),
    [
        (1, 3, [(0, 3)]),
        (2, 1, [(0, 3), (1, 3)]),
        (2, 3, [(0, 1), (1, 2), (0, 2), (1, 1)]),
        (3, 3, [(0, 1), (1, 1), (2, 2), (1, 1), (0, 2), (1, 1), (2, 1)]),
    ],
)
def test_turns_alternate(targets: int, windows: int, expected: list[tuple[int, float]]) -> None:
    assert sequence(Turns(targets, 3.0, windows)) == expected


@pytest.mark.parametrize("round_s", [0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("targets", [1, 2, 3])
def test_chosen_windows_add_up_to_the_same_time(targets: int, round_s: float) -> None:
    found = sequence(Turns(targets, 2.0, None), round_s)
    for target in range(targets):
        own = [seconds for number, seconds in found if number == target]
        assert sum(own) == pytest.approx(2.0)
        assert min(own) >= min(2.0, LEAST_WINDOW_S) / 2
    assert all(one[0] != other[0] for one, other in pairwise(found))


def test_slow_responses_make_windows_longer() -> None:
    counts = [len(sequence(Turns(2, 2.0, None), round_s)) for round_s in (0.0, 0.02, 0.1, 1.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 2 < counts[0]


def test_slow_first_turn_does_not_count() -> None:
    turns = Turns(2, 2.0, None)
    for round_s in (1.0, 1.0, 0.0, 0.0):
        target = turns.next([])
        assert target is not None
        turns.allow(target, round_s)
    assert target is not None
    assert turns.take(target) < 0.5


def test_target_that_is_over_gets_no_turn() -> None:
    turns = Turns(2, 3.0, 3)
    assert turns.next([]) == 0
    assert turns.take(0) == 1
    assert sequence(turns, over=(0,)) == [(1, 3)]
