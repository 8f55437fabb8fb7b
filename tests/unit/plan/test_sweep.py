"""Sweeps: targets for all combinations, and what is refused."""

from pathlib import Path

import pytest

from tests.support.plans import refusal, write_plan
from twinbench.plan import Plan, read_plan

TWO_TARGETS = """
[[targets]]
name = "sync"
app = "a:app"
env = { BLOG_POOL_SIZE = "1", OTHER = "x" }
[[targets]]
name = "async"
app = "b:app"
"""
SCENARIO = """
[[scenarios]]
name = "read"
requests = [{ path = "/" }]
closed = [8]
"""
THREADS_AND_POOL = "env.BLOG_THREADS = [10, 40]\nenv.BLOG_POOL_SIZE = [5]\n"


def text(sweep: str, head: str = "", targets: str = TWO_TARGETS) -> str:
    return f'name = "x"\n{head}\n[sweep]\n{sweep}{targets}{SCENARIO}'


def swept(folder: Path, sweep: str, **parts: str) -> Plan:
    return read_plan(write_plan(folder, text(sweep, **parts)))


def test_each_combination_becomes_a_target(tmp_path: Path) -> None:
    plan = swept(tmp_path, THREADS_AND_POOL + "workers = [1, 2]\n")
    assert [target.name for target in plan.targets] == [
        f"{name}-{threads}-5-{workers}"
        for name in ("sync", "async")
        for threads in (10, 40)
        for workers in (1, 2)
    ]
    last_of_sync = plan.targets[3]
    assert last_of_sync.title == "sync: THREADS=40, POOL_SIZE=5, workers=2"
    assert last_of_sync.env == {"BLOG_POOL_SIZE": "5", "OTHER": "x", "BLOG_THREADS": "40"}
    assert last_of_sync.workers == 2
    assert isinstance(last_of_sync.expected_differences, dict)
    assert "BLOG_THREADS=40" in last_of_sync.expected_differences["settings"]


def test_a_target_that_is_not_named_stays(tmp_path: Path) -> None:
    plan = swept(tmp_path, 'targets = ["sync"]\nworkers = [1, 2]\n')
    assert [target.name for target in plan.targets] == ["sync-1", "sync-2", "async"]


def test_a_scenario_keeps_its_targets(tmp_path: Path) -> None:
    path = write_plan(tmp_path, text("workers = [1, 2]\n") + 'targets = ["async"]\n')
    assert read_plan(path).scenarios[0].targets == ["async-1", "async-2"]


def test_the_stored_plan_is_the_same(tmp_path: Path) -> None:
    plan = swept(tmp_path, THREADS_AND_POOL)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    ("head", "schedule"), [("", "sequential"), ('schedule = "alternating"', "alternating")]
)
def test_the_schedule_is_sequential_unless_given(tmp_path: Path, head: str, schedule: str) -> None:
    assert swept(tmp_path, THREADS_AND_POOL, head=head).schedule == schedule


def test_names_are_numbers_where_values_give_none(tmp_path: Path) -> None:
    plan = swept(tmp_path, 'targets = ["sync"]\nenv.URL = ["a/b", "a:b"]\n')
    assert [target.name for target in plan.targets] == ["sync-1", "sync-2", "async"]
    assert [target.env["URL"] for target in plan.targets[:2]] == ["a/b", "a:b"]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ('targets = ["snyc"]\nworkers = [1]', "sweep: targets names an unknown 'snyc'"),
        ('targets = ["sync", "sync"]\nworkers = [1]', "sweep: targets names 'sync' twice"),
        ("", "sweep: give values"),
        ("env.A = []", "sweep: A has no values"),
        ("workers = []", "sweep: workers has no values"),
        ("env.A = [5, 5]", "sweep: A has the value 5 twice"),
        ('env.A = [5, "5"]', "sweep: A has the value 5 twice"),
        ("env.A = [true]", "sweep.env.A[0]: a value of a variable is a number or a text"),
        ("env.workers = [1]", "sweep: env.workers is no variable"),
        ("env.A = 5", "sweep.env.A: "),
        ("worker = [1]", "sweep: unknown key 'worker'; did you mean 'workers'?"),
        (f"env.A = {[*range(60)]}", "sweep: 120 targets; a plan has at most 100"),
    ],
)
def test_bad_sweeps_are_refused(tmp_path: Path, sweep: str, message: str) -> None:
    assert refusal(tmp_path, text(sweep)).startswith(message)


def test_a_precision_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, text("workers = [1, 2]", head='precision = "5%"'))
    assert message.startswith("sweep: a sweep compares no targets")


def test_a_setting_that_the_target_cannot_have(tmp_path: Path) -> None:
    target = '\n[[targets]]\nname = "far"\nurl = "http://127.0.0.1:8000"\n'
    message = refusal(tmp_path, text("workers = [1, 2]", targets=target))
    assert message.startswith("sweep: target 'far': workers is for a server")
