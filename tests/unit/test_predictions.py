"""What threads or connections allow: N / t, where they were seen to run out."""

import pytest

from tests.support.factories import cell_result, point
from twinbench.analyse.predictions import prediction
from twinbench.analyse.results import CellResult
from twinbench.plan import Load

# 40 threads, each held for 50 ms: 800 requests a second.
SERVICE_MS = 50.0


def measured(users: int, threads: tuple[int, int], connections: tuple[int, int]) -> CellResult:
    """One block at so many users: threads and connections in use, and requests waiting for one.
    Without a wait a request takes SERVICE_MS."""
    found = cell_result(
        "sync", 1, load=Load("closed", users), mean_ms=SERVICE_MS * max(1, users / 40)
    )
    return found.model_copy(
        update={
            "threads_used_max": threads[0],
            "threads_waiting_max": threads[1],
            "connections_used_max": connections[0],
            "connections_waiting_max": connections[1],
        }
    )


def of(
    rps: float, threads: tuple[int, int] = (40, 60), connections: tuple[int, int] = (0, 0)
) -> tuple[str, int, int] | None:
    """By, limit and throughput of the prediction of a curve whose highest throughput is `rps`."""
    cells = [measured(1, (1, 0), (0, 0)), measured(128, threads, connections)]
    found = prediction([point(1, 20), point(128, rps)], cells)
    return (found.by, found.limit, round(found.rps)) if found else None


def test_threads_that_run_out_allow_as_many_as_they_serve() -> None:
    assert of(780) == ("threads", 40, 800)


def test_the_lower_of_two_limits_counts() -> None:
    assert of(290, connections=(15, 30)) == ("connections", 15, 300)


@pytest.mark.parametrize(
    ("rps", "threads"),
    [
        (780, (40, 0)),  # nobody waited for one
        (500, (40, 60)),  # something else limits it
        (900, (40, 60)),  # a request does not hold one all the time
    ],
)
def test_what_is_not_the_limit_is_no_prediction(rps: float, threads: tuple[int, int]) -> None:
    assert of(rps, threads) is None


def test_a_collapse_shows_what_ran_out_and_is_no_service_time() -> None:
    fallen = measured(128, (40, 60), (0, 0)).model_copy(update={"status": "collapsed"})
    cells = [measured(1, (1, 0), (0, 0)), fallen]
    found = prediction([point(1, 20), point(64, 780)], cells)
    assert found
    assert (found.limit, found.held_ms) == (40, SERVICE_MS)


def test_without_a_valid_measurement_nothing_is_predicted() -> None:
    lost = measured(1, (40, 60), (0, 0)).model_copy(update={"status": "invalid"})
    assert prediction([point(1)], [lost]) is None
