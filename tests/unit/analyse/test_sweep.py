"""What settings of a sweep cost, where they may deadlock, and which meet the SLO."""

from tests.support import factories
from tests.support.sweeps import SYNC, sweep_plan, sweep_results
from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.results import Results, SweptTarget
from twinbench.plan import Load

TOO_SLOW_MS = 1000.0


def swept(**of_target: object) -> SweptTarget:
    """Return the first target of a sweep of `SYNC` with these changes."""
    sweep = sweep_results(sweep_plan(targets=[SYNC | of_target])).sweep
    assert sweep
    return sweep.targets[0]


def choice(results: Results, users: int) -> list[str]:
    assert results.sweep
    loads = {choice.load: choice.targets for choice in results.sweep.choices}
    return loads[Load("closed", users)]


def test_the_border_is_threads_and_connections_of_the_sync_app() -> None:
    found = swept(env={"BLOG_MAX_OVERFLOW": "3"})
    assert (found.threads, found.connections, found.deadlock_users) == (10, 8, 18)


def test_the_border_has_the_defaults_of_the_libraries() -> None:
    assert swept(env={}).connections == 5 + 10


def test_there_is_no_border_with_a_limit_of_sessions() -> None:
    assert swept(env={"BLOG_MAX_SESSIONS": "5"}).deadlock_users is None


def test_there_is_no_border_of_the_async_app() -> None:
    found = swept(app="apps.async_app.main:app")
    assert (found.threads, found.connections, found.deadlock_users) == (None, 5, None)


def test_of_another_app_the_cost_is_the_sum_of_its_values() -> None:
    found = swept(app="shop:app")
    assert (found.threads, found.connections, found.deadlock_users) == (None, None, None)
    assert found.cost == 10 + 5


def test_the_cheapest_setting_is_first() -> None:
    order = ["sync-10-5", "sync-40-5", "sync-10-40", "sync-40-40"]
    assert choice(sweep_results(), 64) == order


def test_fewer_workers_are_cheaper_than_fewer_connections() -> None:
    plan = sweep_plan(sweep={"workers": [2, 1], "env": {"BLOG_POOL_SIZE": [40, 5]}})
    order = ["sync-5-1", "sync-40-1", "sync-5-2", "sync-40-2"]
    assert choice(sweep_results(plan), 8) == order


def test_a_setting_that_collapses_or_is_slow_is_left_out() -> None:
    found = sweep_results(collapsed=[("sync-10-5", 64)], p99_ms={("sync-40-5", 64): TOO_SLOW_MS})
    assert choice(found, 64) == ["sync-10-40", "sync-40-40"]
    assert choice(found, 8) == ["sync-10-5", "sync-40-5", "sync-10-40", "sync-40-40"]


def test_a_setting_must_meet_the_slo_at_lower_loads_too() -> None:
    found = sweep_results(p99_ms={("sync-10-5", 8): TOO_SLOW_MS})
    assert "sync-10-5" not in choice(found, 64)


def test_targets_of_a_sweep_are_not_compared() -> None:
    results = sweep_results()
    assert comparisons(results.plan, results.cells) == []


def test_a_plan_without_a_sweep_has_none() -> None:
    assert sweep_results(factories.plan()).sweep is None
