"""What a target lacked: the loop's lateness and memory, where they tell."""

import pytest

from tests import supposed
from tests.supposed import Made, Outcome, stops
from twinbench.analyse.results import Results
from twinbench.report.causes import causes

LOADS = (1, 64)


def seen(field: str, figures: dict[str, tuple[float, float]], void: bool = False) -> Results:
    """A scenario whose cells have these figures at 1 and at 64 users."""
    loads = {load: supposed.VOID if void else Outcome() for load in LOADS}
    results = supposed.results(Made("wait", loads, targets=tuple(figures)))
    for cell in results.cells:
        setattr(cell, field, figures[cell.target][LOADS.index(cell.load.value)])
    return results


@pytest.mark.parametrize(
    ("sync", "late", "said"),
    [
        ((1, 3), (5, 48), ["at 64 users (p99); that of sync 3 ms."]),
        ((1, 30), (50, 48), ["at 1 user (p99); that of sync 1 ms."]),  # at 64 too much alike
        ((1, 3), (5, 9), []),  # nobody feels that
        ((1, 40), (5, 48), []),  # both are late
    ],
)
def test_a_late_loop_is_named_where_it_is_clearly_later_than_the_others(
    sync: tuple[float, float], late: tuple[float, float], said: list[str]
) -> None:
    found = causes(seen("loop_lag_p99_ms", {"sync": sync, "async": late}), "wait")
    assert [line.partition("timers ")[2] for line in found] == said
    assert all(line.startswith("The event loop of async comes ") for line in found)


def test_memory_is_named_where_one_takes_much_more() -> None:
    figures = {"sync": (150.0, 1640.0), "async": (140.0, 320.0)}
    assert causes(seen("server_memory_mib", figures), "wait") == [
        "sync takes 1,640 MiB of memory at 64 users; async 320 MiB."
    ]
    figures = {"sync": (150.0, 390.0), "async": (140.0, 200.0)}
    assert causes(seen("server_memory_mib", figures), "wait") == []


def test_void_cells_are_no_evidence() -> None:
    results = seen("loop_lag_p99_ms", {"sync": (1, 3), "async": (5, 48)}, void=True)
    assert causes(results, "wait") == []


def test_what_is_not_known_of_the_other_is_not_compared() -> None:
    results = seen("loop_lag_p99_ms", {"sync": (1, 3), "async": (5, 48)})
    for cell in results.cells:
        if cell.target == "sync" and cell.load.value == 64:
            cell.loop_lag_p99_ms = None
    assert causes(results, "wait") == []


def test_who_waits_for_his_own_connection_to_be_opened_lacks_none() -> None:
    results = seen("connections_used_max", {"sync": (1, 15), "async": (1, 64)})
    for cell in results.cells:
        cell.connections_waiting_max = 40
    assert causes(results, "wait") == [
        "sync at 64 users: 15 connections in use, up to 40 waiting for one."
    ]


def test_of_a_target_alone_only_what_is_much_is_said() -> None:
    assert causes(seen("loop_lag_p99_ms", {"async": (5, 48)}), "wait") == [
        "The event loop of async comes 48 ms late to its timers at 64 users (p99)."
    ]
    assert causes(seen("server_memory_mib", {"async": (150, 1640)}), "wait") == []


DEADLOCK = {
    "threads_used_max": 40,
    "threads_waiting_max": 88,
    "connections_used_max": 15,
    "connections_waiting_max": 40,
}


@pytest.mark.parametrize(
    ("changed", "stuck"),
    [
        ({}, True),
        ({"connections_waiting_max": 39}, False),  # a thread does something else
        ({"threads_waiting_max": 0}, False),
        ({"threads_waiting_max": None}, False),
        ({"threads_used_max": None}, False),
    ],
)
def test_threads_that_all_wait_for_a_connection_are_why_it_stopped(
    changed: dict[str, int | None], stuck: bool
) -> None:
    results = supposed.results(Made("wait", {8: Outcome(), 128: stops("sync")}))
    for cell in results.cells:
        if cell.target == "sync" and cell.load.value == 128:
            for field, value in (DEADLOCK | changed).items():
                setattr(cell, field, value)
    said = (
        "sync at 128 users: all 40 threads wait for one of 15 connections, and those who hold one"
        " wait for a thread: nothing moves."
    )
    assert (said in causes(results, "wait")) == stuck


def test_a_target_that_answers_is_not_said_to_be_stuck() -> None:
    results = supposed.results(Made("wait", {128: Outcome()}))
    for cell in results.cells:
        for field, value in DEADLOCK.items():
            setattr(cell, field, value)
    assert not any("nothing moves" in said for said in causes(results, "wait"))
