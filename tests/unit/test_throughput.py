"""Throughput of a closed load: shares of answers, since users in step come in waves."""

import numpy as np
import pytest

from tests.support import runs
from twinbench.analyse.window import Window
from twinbench.plan import Cell, Load

BEGIN_NS, END_NS = runs.WINDOW_NS
WINDOW_S = (END_NS - BEGIN_NS) / 1e9


def given(users: int, answer_s: float, offset_s: float, kind: str = "closed") -> float:
    """What is counted in the window of 1 s of `users` in step, whose answers take so long; one of
    their waves begins `offset_s` after the window."""
    waves_s = offset_s + answer_s * np.arange(-20, 20)
    sent = np.repeat(BEGIN_NS + (1e9 * waves_s).astype(np.int64), users)
    done = sent + int(1e9 * answer_s)
    plan = runs.plan()
    cell = Cell(1, 1, "noop", "sync", Load(kind, users))  # type: ignore[arg-type]
    rows = runs.rows(sent, sent, done, [""] * len(sent))
    window = Window.of(runs.record(cell), rows, plan.scenario("noop"))
    return float(window.answered(np.array([BEGIN_NS, END_NS])).sum())


@pytest.mark.parametrize("offset_s", [0.0, 0.1, 0.35, 0.69])
@pytest.mark.parametrize(("users", "answer_s"), [(4, 0.7), (256, 1.4), (8, 0.05)])
def test_a_steady_load_counts_the_same_wherever_its_waves_stand(
    users: int, answer_s: float, offset_s: float
) -> None:
    assert given(users, answer_s, offset_s) == pytest.approx(users * WINDOW_S / answer_s)


def test_arrivals_of_an_open_load_are_counted_whole() -> None:
    assert given(4, 0.7, 0.1, "open") == 8  # after 0.1 and 0.8 s


def test_slices_add_up_to_the_whole() -> None:
    sent = BEGIN_NS + np.arange(-50, 100) * 10_000_000
    rows = runs.rows(sent, sent, sent + 333_000_000, [""] * len(sent))
    cell = Cell(1, 1, "noop", "sync", Load("closed", 33))
    window = Window.of(runs.record(cell), rows, runs.plan().scenario("noop"))
    parts = window.answered(np.linspace(BEGIN_NS, END_NS, 11))
    assert parts == pytest.approx(np.full(10, 10.0), rel=0.02)
    assert parts.sum() == pytest.approx(window.answered(np.array([BEGIN_NS, END_NS])).sum())
