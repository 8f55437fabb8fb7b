"""One app under two paths, whose users log in, have rows of a feed, and send in sequence."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.support import factories
from tests.support.gated import get
from tests.support.processes import clean_rig, twinbench
from twinbench.measure.rig import Rig
from twinbench.plan import cells, read_plan
from twinbench.preflight.check import check
from twinbench.preflight.result import PreflightError

# Each user logs in, and must take the steps 0, 1, 2 in order; a rating needs a word of the feed.
APP = """
import secrets
from collections import Counter
from fastapi import APIRouter, FastAPI, Form, Header, HTTPException, Request
app = FastAPI()
WORDS = {"red", "green", "blue"}

def routes(name: str) -> APIRouter:
    router = APIRouter(prefix=f"/{name}")
    users, steps, words = {}, {}, Counter()

    @router.post("/login")
    def login(username: str = Form(), password: str = Form(), via: str = Header()):
        if password != f"{username}'s" or via != name:
            raise HTTPException(400)
        token = secrets.token_hex(4)
        users[token] = username
        return {"token": token}

    @router.get("/{username}/step/{step}")
    def take(username: str, step: int, authorization: str = Header()):
        if users[authorization] != username or step not in (0, steps.get(authorization, 0) + 1):
            raise HTTPException(409)
        steps[authorization] = step
        return {"step": step}  # a planted difference

    @router.post("/rating")
    def rate(body: dict[str, str]):
        if body["via"] != name or body["word"] not in WORDS:
            raise HTTPException(400)
        words[body["word"]] += 1
        return {"done": True}

    @router.get("/seen")
    def seen():
        return {"users": sorted(users.values()), "stepped": len(steps), "words": words}

    return router

app.include_router(routes("sync"))
app.include_router(routes("async/v1"))
"""
PLAN = """
name = "two-paths"
blocks = 1
warmup_s = 0.1
measure_s = 0.3
targets = [
    { name = "sync", app = "paths:app", cwd = ".", vars = { prefix = "sync" } },
    { name = "async", app = "paths:app", cwd = ".", vars = { prefix = "async/v1" } },
]
[[scenarios]]
name = "steps"
closed = [5]
sequence = true
feed = "users.csv"
[[scenarios.setup]]
per = "user"
method = "POST"
path = "/{prefix}/login"
headers = { Via = "{prefix}" }
form = { username = "{username}", password = "{password}" }
capture = { token = "token" }
[[scenarios.requests]]
path = "/{prefix}/{username}/step/0"
headers = { Authorization = "{token}" }
[[scenarios.requests]]
path = "/{prefix}/{username}/step/1?n={1..9}"
headers = { Authorization = "{token}" }
[[scenarios.requests]]
path = "/{prefix}/{username}/step/2"
headers = { Authorization = "{token}" }
[[scenarios]]
name = "rating"
open = [50]
feed = { file = "words.csv", per = "request" }
requests = [
    { method = "POST", path = "/{prefix}/rating", body = { word = "{word}", via = "{prefix}" } },
]
"""
USERS = "username,password\nann b,ann b's\nbob,bob's\n"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with clean_rig(factories.plan(), tmp_path_factory.mktemp("logs")) as found:
        yield found


def write(folder: Path, app: str = APP, users: str = USERS) -> Path:
    (folder / "paths.py").write_text(app)
    (folder / "users.csv").write_text(users)
    (folder / "words.csv").write_text("word\nred\ngreen\nblue\n")
    (folder / "plan.toml").write_text(PLAN)
    return folder / "plan.toml"


def seen(rig: Rig, target: str, prefix: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(get(f"{rig._servers[target].url}/{prefix}/seen"))
    return found


def test_users_send_their_own_values_in_sequence(tmp_path: Path, rig: Rig) -> None:
    plan = read_plan(write(tmp_path))
    both = [cell for cell in cells(plan) if cell.scenario == "steps"]
    folders = [tmp_path / cell.target for cell in both]
    for folder in folders:
        folder.mkdir()
    records = rig.measure(both, folders, plan)
    assert [(record.outcome, record.reason) for record in records] == [("done", "")] * 2
    for folder in folders:
        requests = pl.read_parquet(folder / "requests.parquet")
        assert set(requests["status"]) == {200}
        assert set(requests["request"]) == {0, 1, 2}
    for target, prefix in (("sync", "sync"), ("async", "async/v1")):
        users = ["ann b", "ann b", "ann b", "bob", "bob"]
        assert seen(rig, target, prefix) == {"users": users, "stepped": 5, "words": {}}
        other = "sync" if target == "async" else "async/v1"
        assert seen(rig, target, other)["stepped"] == 0


def test_arrivals_take_rows_in_turn(tmp_path: Path, rig: Rig) -> None:
    plan = read_plan(write(tmp_path))
    cell = next(each for each in cells(plan) if (each.scenario, each.target) == ("rating", "sync"))
    (record,) = rig.measure([cell], [tmp_path], plan)
    assert (record.outcome, record.reason) == ("done", "")
    assert set(pl.read_parquet(tmp_path / "requests.parquet")["status"]) == {200}
    words = seen(rig, "sync", "sync")["words"]
    assert isinstance(words, dict)
    assert max(words.values()) - min(words.values()) <= 1


def test_a_login_that_fails_for_one_user_is_named(tmp_path: Path, rig: Rig) -> None:
    plan = read_plan(write(tmp_path, users=USERS.replace("bob's", "wrong")))
    cell = next(each for each in cells(plan) if (each.scenario, each.target) == ("steps", "async"))
    (record,) = rig.measure([cell], [tmp_path], plan)
    assert (record.outcome, record.reason) == (
        "lost",
        "'async': user 2 of 5, setup: POST /async/v1/login was answered with 400, the plan"
        " expects 200",
    )


def test_two_paths_of_one_app_do_the_same_work(tmp_path: Path, rig: Rig) -> None:
    plan = read_plan(write(tmp_path))
    [pair] = check(plan, "plan.toml", rig, lambda _: None)
    # Two logins; the sequence with three numbers; a rating with two words. Each three times.
    assert pair.requests == 2 + 3 * 3 * 3 + 3 * 2
    assert "OpenAPI" in pair.equal
    planted = 'return {"step": step, "name": name}  # a'
    plan = read_plan(write(tmp_path, APP.replace('return {"step": step}  # a', planted)))
    with pytest.raises(PreflightError) as refused:
        check(plan, "plan.toml", rig, lambda _: None)
    message = str(refused.value)
    place = "GET /{prefix}/{username}/step/0 (requests[0], draw 1)"
    assert (
        f"bytes of 'async' and 'sync': in 27 requests, first: scenario 'steps': {place}" in message
    )


def test_a_run_names_requests_by_their_templates(tmp_path: Path) -> None:
    write(tmp_path)
    done = twinbench("run", "plan.toml", cwd=tmp_path, self_check=False)
    assert done.returncode == 0, done.stderr
    [results] = (tmp_path / "reports" / "runs").glob("*/results.json")
    found = json.loads(results.read_text())
    assert found["missing_cells"] == 0
    assert {cell["errors"] for cell in found["cells"]} == {0}
    assert "bob's" not in results.read_text()  # rows may be passwords
    assert "/{prefix}/rating" in results.read_text()
