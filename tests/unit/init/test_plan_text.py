"""Text of a first plan: what it holds is what is read from it."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbench.init.openapi import Route
from twinbench.init.plan_text import (
    BLOCKS,
    LOADS,
    MAX_RUN_S,
    PlanDraft,
    ScenarioDraft,
    plan_text,
    scenario_name,
    scenarios_of,
    shortened,
)
from twinbench.init.routes import Capture, LeftOut, WorkingRoute
from twinbench.init.targets import Given, targets_of
from twinbench.plan import Scenario, read_plan

START_S = 1.0
APPS = Given(("old.main:app", "new.main:app"))


def working(path: str, slowest_s: float = 0.01, **changes: object) -> WorkingRoute:
    """Return a route that works, with `path` as it is in a plan."""
    values = {"route": Route(path), "path": path, "status": 200, "slowest_s": slowest_s} | changes
    return WorkingRoute(**values)  # type: ignore[arg-type]


def draft(*routes: WorkingRoute, given: Given = APPS, **changes: object) -> PlanDraft:
    values = {
        "name": "mine",
        "targets": targets_of(given),
        "scenarios": scenarios_of(routes),
    } | changes
    return shortened(PlanDraft(**values), START_S)  # type: ignore[arg-type]


def read(folder: Path, of: PlanDraft) -> dict[str, object]:
    """Return the table in the text of a plan."""
    return tomllib.loads(plan_text(of, folder / "twinbench.toml", "about 9 min"))


def test_written_plan_is_read_as_it_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here/.venv/bin", "old/venv/bin", "new"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "here/.venv/bin/python").touch()
    (tmp_path / "elsewhere").touch()
    (tmp_path / "old/venv/bin/python").symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "here")
    given = Given(
        ("main:app", "main:app"),
        folders=(Path("../old"), Path("../new")),
        envs=({"URL": "sqlite:///{scratch}/a.db"}, {"QUOTE": 'a "b" \\ c'}),
        ready="/health",
    )
    captures = (Capture("user_id", "/users", "0.id"),)
    file = tmp_path / "here" / "mine.toml"
    of = draft(
        working("/users/{user_id}", captures=captures),
        working("/", status=204, slowest_s=1.0),
        given=given,
        left_out=[LeftOut("GET /me", "needs a login", "login"), LeftOut("GET /x\n", "no\nno")],
        writing=["POST /users"],
    )
    file.write_text(plan_text(of, file, "about 9 min"))
    plan = read_plan(file)
    before, after = plan.targets
    assert (plan.name, plan.blocks, plan.fresh_servers) == ("mine", BLOCKS, "block")
    assert (before.app, before.ready, before.env) == ("main:app", "/health", dict(given.envs[0]))
    assert after.env == dict(given.envs[1])
    assert before.cwd is not None
    assert before.cwd.samefile(tmp_path / "old")
    # The environment of its folder, as a link, else that of this folder.
    assert str(before.python).endswith("old/venv/bin/python")
    assert str(after.python).endswith("here/.venv/bin/python")
    assert 'python = ".venv/bin/python"' in file.read_text()
    user, root = plan.scenarios
    assert [(s.path, s.capture) for s in user.setup] == [("/users", {"user_id": "0.id"})]
    assert (user.requests[0].path, user.closed) == ("/users/{user_id}", list(LOADS))
    assert (root.name, root.requests[0].expect) == ("root", 204)
    # A slow route: no collapse, and some responses in each window.
    assert plan.collapse_s >= 4
    assert plan.measure_s_of("root") >= 5 > plan.measure_s


def test_prefixes_are_variables_of_two_targets(tmp_path: Path) -> None:
    given = Given(("main:app",), prefixes=("/sync", "async/"))
    table = read(tmp_path, draft(working("/{prefix}/users"), given=given))
    targets = table["targets"]
    assert isinstance(targets, list)
    assert [(each["name"], each["vars"]) for each in targets] == [
        ("sync", {"prefix": "sync"}),
        ("async", {"prefix": "async"}),
    ]
    assert {each["app"] for each in targets} == {"main:app"}
    scenarios = table["scenarios"]
    assert isinstance(scenarios, list)
    assert [(each["name"], each["requests"]) for each in scenarios] == [
        ("users", [{"path": "/{prefix}/users"}])
    ]


def test_running_servers_and_commands_are_targets(tmp_path: Path) -> None:
    commands = Given(("serve 'a b' --port {port}", "x {port}"), command=True)
    assert targets_of(commands)[0].table["command"] == ["serve", "a b", "--port", "{port}"]
    urls = Given(("http://127.0.0.1:8000/", "http://127.0.0.1:8001"))
    targets = read(tmp_path, draft(working("/"), given=urls))["targets"]
    assert targets == [
        {"name": "before", "url": "http://127.0.0.1:8000"},
        {"name": "after", "url": "http://127.0.0.1:8001"},
    ]


def test_locustfile_is_a_scenario_without_requests(tmp_path: Path) -> None:
    scenario = ScenarioDraft(name="locustfile", locustfile=tmp_path / "load" / "locustfile.py")
    table = read(tmp_path, draft(scenarios=[scenario]))
    assert table["scenarios"] == [
        {"name": "locustfile", "closed": list(LOADS), "locustfile": "load/locustfile.py"}
    ]
    assert "fresh_servers" not in table  # its requests may write


def test_example_of_a_login_is_a_scenario(tmp_path: Path) -> None:
    login = [LeftOut("GET /me", "needs a login", "login")]
    of = draft(working("/"), left_out=login, token_path="/auth")  # noqa: S106
    _, _, example = plan_text(of, tmp_path / "a.toml", "about 9 min").partition("# [[scenarios]]")
    lines = "[[scenarios]]" + example.partition("\n\n")[0].replace("\n# ", "\n")
    [scenario] = map(Scenario.model_validate, tomllib.loads(lines)["scenarios"])
    assert (scenario.requests[0].path, scenario.setup[0].path) == ("/me", "/auth")
    assert scenario.requests[0].names == list(scenario.setup[0].capture)


@pytest.mark.parametrize("count", [1, 3, 6, 40])
def test_plan_takes_ten_minutes_at_most(count: int) -> None:
    of = draft(*(working(f"/{number}") for number in range(count)))
    assert of.takes_s(START_S) <= MAX_RUN_S
    assert len(of.scenarios) == min(6, count)
    assert len(of.unused) == count - len(of.scenarios)


def test_slow_routes_are_fewer_and_one_is_left() -> None:
    assert len(draft(*(working(f"/{n}", 1.0) for n in range(6))).scenarios) < 6
    assert len(draft(working("/", 9.0)).scenarios) == 1


def test_scenarios_have_valid_names_that_differ() -> None:
    routes = ["/", "/{prefix}", "/Users/{id}", "/users/{id}/", "/" + "a/" * 50, "/" + "a-" * 50]
    names = [scenario.name for scenario in scenarios_of([working(path) for path in routes])]
    assert names[:4] == ["root", "root_2", "users_id", "users_id_2"]
    assert len(set(names)) == len(names)
    for name in names:
        assert Scenario.model_validate({"name": name, "closed": [1], "requests": [{"path": "/"}]})


@given(st.text())
def test_every_name_is_valid(text: str) -> None:
    assert Scenario.model_validate(
        {"name": scenario_name(text), "closed": [1], "requests": [{"path": "/"}]}
    )
