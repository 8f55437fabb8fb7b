"""`twinbench init` on small apps with real servers, and `check` of what it wrote."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gated import serving
from tests.support.processes import none_left, twinbench
from twinbench.plan import Target, read_plan

# A pair that knows nothing of twinbench: a list that names its ids, a login, a broken route, and
# a variable without which it does not start.
SHOP = """
import asyncio, os, time
from typing import Annotated
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer

NAME = os.environ["SHOP_NAME"]
ITEMS = {number: {"id": number, "name": NAME} for number in (17, 18)}
app = FastAPI()
token = OAuth2PasswordBearer(tokenUrl="login")

@app.get("/items/{item_id}")
{define} item(item_id: int):
    if item_id not in ITEMS:
        raise HTTPException(404)
    return ITEMS[item_id]

@app.get("/items")
{define} items():
    {pause}
    return list(ITEMS.values())

@app.get("/me")
{define} me(token: Annotated[str, Depends(token)]):
    return token

@app.get("/broken")
{define} broken():
    raise RuntimeError("out of stock")

@app.post("/items")
{define} add():
    return {}
"""
BOTH = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/sync/users/{user_id}")
def one(user_id: int):
    return user_id

@app.get("/async/users/{user_id}")
async def other(user_id: int):
    return user_id
"""
LOCUSTFILE = """
from locust import HttpUser, task

class Visitor(HttpUser):
    @task
    def items(self):
        self.client.get("/items")
"""
WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
ASGI = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI(openapi_url=None)

@app.get("/")
async def root():
    return PlainTextResponse("hello", headers={"content-type": "text/plain"})
"""
VARIABLE = ("--env", "SHOP_NAME=corner")
SHOPS = ("--before-dir", "../old", "--after-dir", "../new", *VARIABLE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with both apps, beside that in which commands are called."""
    for name, define, pause in (
        ("old", "def", "time.sleep(0.001)"),
        ("new", "async def", "await asyncio.sleep(0.001)"),
    ):
        app = tmp_path / name / "shop" / "main.py"
        app.parent.mkdir(parents=True)
        app.write_text(SHOP.replace("{define}", define).replace("{pause}", pause))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "both.py").write_text(BOTH)
    (tmp_path / "here" / "wsgi.py").write_text("def app(environ, start_response): ...")
    return tmp_path / "here"


def assert_check_passes(folder: Path, plan: str = "twinbench.toml") -> None:
    checked = twinbench("check", plan, cwd=folder)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.smoke
def test_written_plan_passes_the_check(folder: Path) -> None:
    mark = f"init-{os.getpid()}"
    done = twinbench("init", "shop.main:app", "shop.main:app", *SHOPS, cwd=folder, mark=mark)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].strip() == "twinbench run twinbench.toml"
    plan = read_plan(folder / "twinbench.toml")
    assert [s.requests[0].path for s in plan.scenarios] == ["/items/17", "/items"]
    text = (folder / "twinbench.toml").read_text()
    assert "#   GET /me\n" in text
    assert "#   GET /broken: answered with 500\n" in text
    assert "#   POST /items\n" in text
    assert str(folder.parent) not in text  # paths are relative
    checked = twinbench("check", cwd=folder, mark=mark)
    assert (checked.returncode, checked.stderr) == (0, "")
    only = twinbench("check", "--only", "itms", cwd=folder, mark=mark)
    assert (only.returncode, "did you mean 'items'?" in only.stderr) == (2, True)
    assert none_left(mark)


def test_commands_are_started_on_a_port_and_asked_for_paths(folder: Path) -> None:
    served = f"{sys.executable} -m uvicorn shop.main:app --port {{port}} --log-level critical"
    done = twinbench(
        *("init", "--command", served, served + " --no-access-log", *SHOPS),
        *("--path", "/items", "--path", "/me", "-o", "mine.toml"),
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    plan = read_plan(folder / "mine.toml")
    assert [target.command and target.command[-1] for target in plan.targets] == [
        "critical",
        "--no-access-log",
    ]
    assert [s.requests[0].path for s in plan.scenarios] == ["/items"]
    assert_check_passes(folder, "mine.toml")


def test_variants_in_one_app_are_found(folder: Path) -> None:
    done = twinbench("init", "both:app", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    text = (folder / "twinbench.toml").read_text()
    assert 'vars = { prefix = "sync" }' in text
    assert 'vars = { prefix = "async" }' in text
    assert 'requests = [{ path = "/{prefix}/users/1" }]' in text
    assert_check_passes(folder)


def test_one_app_is_compared_by_its_versions(folder: Path) -> None:
    (folder / "asgi.py").write_text(ASGI)
    done = twinbench("init", "asgi:app", "--path", "/", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "twinbench compare --base HEAD twinbench.toml" in done.stdout
    plan = read_plan(folder / "twinbench.toml")
    assert [target.name for target in plan.targets] == ["app"]
    assert (plan.time, plan.scenarios[0].closed) == ("10m", [1, 8])


def test_locustfile_is_named_in_the_plan(folder: Path) -> None:
    (folder / "load.py").write_text(LOCUSTFILE)
    args = ("shop.main:app", "shop.main:app", *SHOPS)
    done = twinbench("init", "--locustfile", "load.py", *args, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'locustfile = "load.py"' in (folder / "twinbench.toml").read_text()
    assert_check_passes(folder)


def test_wsgi_app_is_served_by_the_server_that_is_named(folder: Path) -> None:
    (folder / "wsgi.py").write_text(WSGI)
    (folder / "asgi.py").write_text(ASGI)
    done = twinbench("init", "wsgi:app", "asgi:app", "--before-server", "gunicorn", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert_check_passes(folder)


def test_servers_that_run_already_are_asked(folder: Path) -> None:
    with ExitStack() as stack:
        apps = [Target(name=each, app="both:app", cwd=folder) for each in ("one", "two")]
        urls = [stack.enter_context(serving(app)).url for app in apps]
        done = twinbench("init", *urls, "--path", "/sync/users/7", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert [target.url for target in read_plan(folder / "twinbench.toml").targets] == urls
        assert_check_passes(folder)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("shop.gone:app", "both:app"), 2, "there is no module 'shop'"),
        (("both:gone", "both:app"), 2, "module 'both' has no 'gone'"),
        (("both:app", "shop.main:app", "--after-dir", "../old"), 3, "--env NAME=VALUE"),
        (
            ("shop.main:app", "shop.main:app", *SHOPS, "--path", "/broken"),
            3,
            "Last output of 'before': RuntimeError: out of stock",
        ),
        (("wsgi:app", "both:app"), 3, "A WSGI app is served with"),
        (("both:app", "--prefix", "v1", "--prefix", "v2"), 2, "no GET route"),
        (("both:app", "both:app", "-o", "gone/x.toml"), 2, "an existing folder"),
        (("both:app", "both:app", "-o", "both.py"), 2, "--force overwrites it"),
        (("both:app", "b:app", "--openapi", "/x", "--locustfile", "both.py"), 2, "leave --path"),
    ],
)
def test_what_gives_no_plan_is_refused(
    folder: Path, args: tuple[str, ...], code: int, message: str
) -> None:
    mark = f"refused-{os.getpid()}"
    before = sorted(folder.rglob("*.toml"))
    refused = twinbench("init", *args, cwd=folder, mark=mark)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert sorted(folder.rglob("*.toml")) == before
    assert none_left(mark)
