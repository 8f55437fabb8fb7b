"""The law behind a curve, from made-up cells: what was planted must come out."""

from collections.abc import Mapping, Sequence

import pytest

from tests import runs
from twinbench.analyse.cells import Cell, analyse_cell
from twinbench.analyse.curves import curves
from twinbench.analyse.results import Curve, Law
from twinbench.plan import Plan, cells

WAIT = {"name": "wait", "kind": "io", "requests": [{"path": "/wait"}]}
# A wait of 50 ms in 40 threads, much as it was measured: as many answers as users give, then 40 in
# 50 ms. A request alone costs twice the CPU.
MEASURED_RPS = {1: 20, 8: 158, 32: 632, 64: 790, 256: 790}
CPU_MS = {1: 2.6, 8: 1.4, 32: 1.3, 64: 1.2, 256: 1.25}
THREADS = {1: (1, 0), 8: (8, 0), 32: (32, 0), 64: (40, 24), 256: (40, 216)}
Pool = Mapping[int, tuple[int, int]]


def made_up(
    rps: Mapping[int, int] = MEASURED_RPS,
    cpu_ms: Mapping[int, float] = CPU_MS,
    threads: Pool = THREADS,
    connections: Pool | None = None,
    void: Sequence[int] = (),
    **plan: object,
) -> Curve:
    """A curve of one target with one block: at each load its throughput, the CPU cost of a
    request, and of both pools how many are in use and how many wait for one."""
    target = {"name": "sync", "app": "a:app", **plan}
    of = runs.plan(targets=[target], scenarios=[WAIT | {"closed": list(rps)}], blocks=1)
    seen: list[Cell] = []
    for cell in cells(of):
        users = cell.load.value
        record, requests = runs.steady(cell, rps[users])
        record.server_cpu_s = rps[users] * cpu_ms[users] / 1e3
        record.generator_cpu_s = 0.9 if users in void else 0.1
        used, waiting = threads[users]
        samples = {"threads_used": used, "threads_waiting": waiting}
        if connections:
            used, waiting = connections[users]
            samples |= {"connections_used": used, "connections_waiting": waiting}
        seen.append(analyse_cell(record, requests, of, runs.telemetry(**samples)))
    return curves(of, seen, server_cores=2)[0]


def law_of(curve: Curve) -> Law:
    assert curve.law
    return curve.law


def limits(law: Law) -> dict[str, float]:
    return {bound.by: bound.limit for bound in law.bounds}


def test_what_waits_in_threads_gets_as_much_as_there_are_threads() -> None:
    curve = made_up()
    law = law_of(curve)
    assert law.at == 1
    assert law.service_ms == pytest.approx(50.0)
    assert limits(law) == {"users": 1, "threads": 40, "cpu": pytest.approx(1.2)}
    assert law.predicted_rps == pytest.approx([20, 160, 640, 800, 800])
    assert law.usl is None
    assert curve.capacity
    assert (curve.capacity.value, curve.capacity.throughput_rps.estimate) == (64, 790)


def test_threads_are_no_limit_where_nobody_waited_for_one() -> None:
    enough = {users: (min(users, 40), 0) for users in MEASURED_RPS}
    law = law_of(made_up(threads=enough))
    assert limits(law) == {"users": 1, "cpu": pytest.approx(1.2)}
    assert law.predicted_rps[-1] == pytest.approx(1000 / 1.2)
    assert law.usl


def test_what_a_void_cell_saw_is_no_limit() -> None:
    law = law_of(made_up(void=[64, 256]))
    assert limits(law) == {"users": 1, "cpu": pytest.approx(1.3)}


def test_connections_are_a_limit_where_they_are_held_all_the_time() -> None:
    rps = {1: 20, 8: 160, 32: 298, 64: 297, 256: 296}
    held = {1: (1, 0), 8: (8, 1), 32: (15, 17), 64: (15, 49), 256: (15, 241)}
    law = law_of(made_up(rps, connections=held))
    assert limits(law)["connections"] == 15
    assert law.predicted_rps == pytest.approx([20, 160, 300, 300, 300])


def test_a_bound_beyond_which_more_was_measured_is_none() -> None:
    # Of ten requests two take one of 15 connections, for a moment: 300 would be too few.
    taken = dict.fromkeys(MEASURED_RPS, (15, 3))
    law = law_of(made_up(connections=taken))
    assert limits(law) == {"users": 1, "threads": 40, "cpu": pytest.approx(1.2)}
    assert law.predicted_rps[-1] == pytest.approx(800)


def test_threads_that_are_held_after_the_answer_are_a_cap_all_the_same() -> None:
    # Answered at once; then each holds a thread for 50 ms more, which the service time hides.
    rps = {1: 797, 8: 799, 32: 789, 64: 786, 256: 733}
    taken = {users: (40, users) for users in rps}
    idle, busy = (dict.fromkeys(rps, cost) for cost in (0.5, 1.3))
    law = law_of(made_up(rps, idle, taken))
    assert (law.usl, law.threads_full) == (None, 40)
    assert law_of(made_up(rps, busy, taken)).threads_full is None
    assert law_of(made_up(rps, busy, taken)).usl


def test_cpu_allows_what_the_cheapest_request_costs_on_as_many_cores_as_workers() -> None:
    cheap = {users: (users, 0) for users in MEASURED_RPS}
    one, two = (law_of(made_up(threads=cheap, workers=workers)) for workers in (1, 2))
    assert one.predicted_rps[-1] == pytest.approx(1000 / 1.2)
    assert two.predicted_rps[-1] == pytest.approx(2000 / 1.2)
    # Only two cores there are.
    assert law_of(made_up(threads=cheap, workers=3)).predicted_rps == two.predicted_rps


def test_without_a_pinned_server_nothing_is_said_of_cpu() -> None:
    plan = runs.plan(scenarios=[WAIT | {"closed": [1]}], blocks=1)
    seen = [analyse_cell(*runs.steady(cell, 20), plan) for cell in cells(plan)]
    law = law_of(curves(plan, seen)[0])
    assert limits(law) == {"users": 1}


def test_the_service_time_is_that_of_the_lowest_load_with_valid_cells() -> None:
    law = law_of(made_up(void=[1]))
    assert law.at == 8
    assert law.service_ms == pytest.approx(8e3 / 158, rel=1e-3)
    assert law.predicted_rps[0] == pytest.approx(158 / 8, rel=1e-3)
    assert made_up(void=list(MEASURED_RPS)).law is None


def test_beside_neighbours_there_is_no_law() -> None:
    """The time that they take is not known, and they are users too."""
    requests = [{"path": "/cheap"}, {"path": "/slow", "neighbour": True}]
    plan: Plan = runs.plan(scenarios=[WAIT | {"requests": requests, "closed": [8]}])
    seen = [analyse_cell(*runs.steady(cell, 1000), plan) for cell in cells(plan)]
    curve = curves(plan, seen, server_cores=1)[0]
    assert curve.points[0].status == "valid"
    assert curve.law is None
