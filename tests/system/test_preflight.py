"""Two real servers that do the same work, and what is said of two that do not.

The second app is the first with one drift planted in it.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import runs
from tests.system.planted import APP, CHANGING, PLAN, written
from tests.system.processes import BEHAVING, twinbench
from twinbench.findings import PreflightPair
from twinbench.measure.rig import Rig
from twinbench.plan import read_plan
from twinbench.preflight import PreflightError, check


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(runs.plan(), tmp_path_factory.mktemp("logs")) as found:
        yield found


def checked(rig: Rig, plan_file: Path) -> PreflightPair:
    [pair] = check(read_plan(plan_file), plan_file.name, rig, lambda _: None)
    return pair


def refused(rig: Rig, plan_file: Path) -> str:
    with pytest.raises(PreflightError) as found:
        checked(rig, plan_file)
    return str(found.value)


def test_equal_twins_are_started_once_and_it_is_said_in_what(tmp_path: Path, rig: Rig) -> None:
    told: list[str] = []
    plan_file = written(tmp_path, "", "")
    [pair] = check(read_plan(plan_file), "plan.toml", rig, told.append)
    assert told == ["checking target 'one'", "checking target 'two'"]
    assert pair.sentence == (
        "two against one: 4 requests: OpenAPI, status, headers, bytes, SQL, commits,"
        " final database, settings: equal"
    )


@pytest.mark.parametrize(
    ("old", "new", "where", "shown"),
    [
        ('"id": n', '"id": n + 1', "requests[0], draw 1): unequal bytes", '+ "id": '),
        ("# a header more", 'response.headers["x-more"] = "y"', "unequal headers", "+x-more: y"),
        (
            "# a SELECT more",
            "connection.execute(select(rows.c.id).limit(3))",
            "scenario 'rows': GET /rows/{1..5} (requests[0], draw 1): unequal SQL",
            "+ LIMIT ? OFFSET ?",
        ),
        (
            "# a COMMIT more",
            "connection.commit()",
            "scenario 'rows': POST /rows (requests[1]): unequal commits",
            "+2 commits",
        ),
        (
            "'finished'",
            "'Finished'",
            "after the last request: unequal final database",
            "+rows: id=1, name='Finished'",
        ),
        ("FastAPI()", 'FastAPI(title="Two")', "/openapi.json: unequal OpenAPI", '+  "title": '),
        (
            '(f"sqlite:///{FILE}")',
            '(f"sqlite:///{FILE}", pool_size=7)',
            "after the last request: unequal settings",
            "+engine 1: queue: maxsize=7",
        ),
    ],
)
def test_twins_that_drifted_are_refused(
    tmp_path: Path, rig: Rig, old: str, new: str, where: str, shown: str
) -> None:
    sentence, *diff = refused(rig, written(tmp_path, old, new)).splitlines()
    assert sentence.startswith("plan.toml: targets[1]: 'two' does not do the same work as 'one': ")
    assert where in sentence
    assert [line.partition(",")[0] for line in diff[:2]] == ["--- one", "+++ two"]
    assert any(line.startswith(shown) for line in diff), diff


def test_the_order_of_methods_in_allow_is_no_difference(tmp_path: Path, rig: Rig) -> None:
    plan_file = written(tmp_path, "", "")
    for name, allowed in (("one", "GET, HEAD"), ("two", "HEAD, GET")):
        line = f'response.headers["Allow"] = "{allowed}"'
        (tmp_path / f"{name}.py").write_text(APP.replace("# a header more", line))
    assert "headers" not in checked(rig, plan_file).missing


@pytest.mark.parametrize("command", ["check", pytest.param("run", marks=pytest.mark.smoke)])
def test_the_command_measures_nothing_then_and_exits_with_3(tmp_path: Path, command: str) -> None:
    written(tmp_path, "'finished'", "'Finished'")
    done = twinbench(command, "plan.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "-rows: id=1, name='finished'\n+rows: id=1, name='Finished'\n" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_what_changes_from_start_to_start_is_learned(tmp_path: Path, rig: Rig) -> None:
    plan = PLAN + CHANGING + CHANGING.replace('name = "uploads"', 'name = "again"')
    pair = checked(rig, written(tmp_path, "", "", plan))
    # One token for both scenarios: what comes before is the same.
    assert (pair.requests, pair.missing) == (4 + 1 + 2, {})
    # At least: the token, the file's name in the answer, in the SQL and in the database.
    assert pair.volatile >= 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("token_hex(8)", "token_hex(7)", "'two' does not do the same work as 'one'"),
        (
            'return {"token": TOKEN}',
            # Another number of entries in every second; the starts are further apart than that.
            'return {"token": TOKEN, **{str(n): "" for n in range(int(time.time()) % 1000)}}',
            "'two' does not give the same answer twice and cannot be compared",
        ),
    ],
)
def test_what_changes_must_still_be_of_one_shape(
    tmp_path: Path, rig: Rig, old: str, new: str, said: str
) -> None:
    assert said in refused(rig, written(tmp_path, old, new, PLAN + CHANGING))


def test_a_response_without_end_is_blamed_for_it(tmp_path: Path, rig: Rig) -> None:
    command = [sys.executable, str(BEHAVING), "{port}", "drip", "1"]  # one that is ready
    (tmp_path / "plan.toml").write_text(
        'name = "endless"\ncollapse_s = 0.1\n'
        f'targets = [{{ name = "one", command = {json.dumps(command)} }}]\n'
        '[[scenarios]]\nname = "get"\nkind = "io"\nclosed = [1]\nrequests = [{ path = "/" }]\n'
    )
    assert refused(rig, tmp_path / "plan.toml") == (
        "plan.toml: targets[0]: 'one', scenario 'get': GET / was answered with a response that did"
        " not end within 0.5 s: end it sooner, set a longer collapse_s, or leave this request out"
        " of the plan"
    )


def test_what_cannot_be_taken_is_refused(tmp_path: Path, rig: Rig) -> None:
    said = refused(rig, written(tmp_path, '{"token"', '{"access"', PLAN + CHANGING))
    assert said == (
        "plan.toml: targets[1]: 'two', before: GET /token: there is no 'token' in its answer"
        " to take"
    )


def test_a_server_that_dies_after_its_answer_is_refused(tmp_path: Path, rig: Rig) -> None:
    said = refused(rig, written(tmp_path, "time.sleep(0.1)", "os._exit(7)"))
    assert "targets[1]: 'two', scenario 'rows': POST /rows (requests[1]): it exited with" in said


def test_a_target_that_is_meant_to_differ_passes_with_its_reason(tmp_path: Path) -> None:
    plan = PLAN.replace('app = "two:app"', 'app = "two:app"\ndiffers = "tuned by hand"')
    written(tmp_path, '"id": n', '"id": n + 1', plan)
    done = twinbench("check", "plan.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        "two against one: not compared, meant to differ: tuned by hand"
    )


def test_a_measured_server_does_not_observe(tmp_path: Path, rig: Rig) -> None:
    plan = read_plan(written(tmp_path, "", ""))
    for observe in (False, True):
        server = rig.start(plan.targets[0], observe=observe)
        try:
            assert (server.work(10) is not None) == observe
        finally:
            server.stop(at_once=True)
