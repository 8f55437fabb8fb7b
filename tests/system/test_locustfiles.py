"""Locustfiles of users: their requests are recorded and compared, their errors are reported."""

import json
import random
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from tests.support.processes import BEHAVING, LONG_S, clean_rig
from twinbench.exchange import exchange
from twinbench.measure.rig import Rig
from twinbench.measure.server import HOST
from twinbench.paths import ROOT
from twinbench.plan import Plan, PlanError, Request, cells, read_plan, render
from twinbench.preflight.check import check
from twinbench.preflight.result import PreflightError, PreflightPair

SHOP = """
import csv, pathlib, sys

from locust import FastHttpUser, HttpUser, SequentialTaskSet, TaskSet, constant, events, tag, task
import shop_data

print("an import that prints", *range(3))
rows = csv.DictReader(open("items.csv"))


@events.init.add_listener
def on_init(environment, **_):
    environment.prepared = [row["n"] for row in rows]


@events.test_start.add_listener
def on_test_start(environment, **_):
    environment.prepared.append(shop_data.LAST)


class Shopper(HttpUser):
    weight = 2
    wait_time = constant(0.001)

    def on_start(self):
        self.token = self.client.post("/login").json()["token"]

    def on_stop(self):
        self.client.post("/logout")

    @task
    class Browse(TaskSet):
        @task(5)
        def item(self):
            for n in self.user.environment.prepared:
                self.client.get(f"/items/{n}", name="/items/[n]")

        @task
        def leave(self):
            self.interrupt()

    @tag("slow")
    @task
    class Order(SequentialTaskSet):
        @task
        def look(self):
            with self.client.get("/missing", catch_response=True) as response:
                if response.status_code == 404:
                    response.success()
                self.client.get("/old")

        @task
        def buy(self):
            self.client.post("/orders", headers={"Authorization": f"Bearer {self.user.token}"})
            self.interrupt()


class Api(FastHttpUser):
    @task
    def item(self):
        print(sys.stdin.read(), "and sends prints to stdout")
        with self.rest("GET", "/items/7") as response:
            assert response.js["name"].startswith("item")

    @task
    def judged(self):
        with self.client.get("/items/8", catch_response=True) as response:
            if response.json():
                response.failure("not what was ordered")
"""
PLAN = """
name = "shop"
blocks = 1
warmup_s = 0.1
measure_s = 0.6
windows = 3
collapse_s = 20.0
[[targets]]
name = "one"
app = "tests.support.shop:app"
cwd = "{root}"
[[targets]]
name = "two"
app = "tests.support.shop:app"
cwd = "{root}"
[[scenarios]]
name = "shop"
locustfile = "load/shop.py"
expected_failures = ["GET /items/8"]
closed = [4]
"""
HEAD = "from locust import FastHttpUser, HttpUser, User, task\n"
TASK = "    @task\n    def t(self):\n        "
OPTION = """
from locust import events
@events.init_command_line_parser.add_listener
def _(parser):
    parser.add_argument("--tenant", required=True)
"""
CLASS = f"{HEAD}class A(FastHttpUser):\n{TASK}"


def write(folder: Path, locustfile: str = SHOP, plan: str = PLAN) -> Plan:
    """Write a plan, a locustfile and what it reads; return the plan."""
    load = folder / "load"
    load.mkdir()
    (load / "shop.py").write_text(locustfile)
    (load / "shop_data.py").write_text('LAST = "9"\n')
    (load / "items.csv").write_text("n\n1\n2\n")
    (folder / "plan.toml").write_text(plan.format(root=ROOT))
    return read_plan(folder / "plan.toml")


def counts(rig: Rig, target: str) -> dict[str, int]:
    """Return how often the server of a target was sent each request."""
    port = rig._servers[target].port
    request = render(Request(path="/counts"), HOST, random.Random(1)).whole
    found: dict[str, int] = json.loads(exchange(request, HOST, port, LONG_S).body)
    return found


@pytest.mark.serial
def test_requests_are_recorded_as_the_server_counted_them(tmp_path: Path) -> None:
    plan = write(tmp_path)
    group = cells(plan)
    folders = [tmp_path / cell.target for cell in group]
    for folder in folders:
        folder.mkdir()
    with Rig(plan, tmp_path) as rig:
        records = rig.measure(group, folders)
        counted = {record.target: counts(rig, record.target) for record in records}
    windows = sorted((*window, r.target) for r in records for window in r.windows_ns)
    for (_, end, _), (begin, *_) in pairwise(windows):
        assert end < begin
    for record, folder in zip(records, folders, strict=True):
        assert (record.outcome, record.reason, record.drained) == ("done", "", True)
        assert record.locust is not None
        assert record.locust.clients == ["FastHttpUser", "HttpUser"]
        assert (record.locust.exceptions, record.locust.users_ended) == (0, 0)
        rows = pl.read_parquet(folder / "requests.parquet")
        assert set(rows["error"]) == {""}
        assert rows["done_ns"].is_sorted()
        for begin, end, name in windows:  # nothing is sent while the other has its turn
            inside = rows.filter(pl.col("sent_ns").is_between(begin, end)).height
            assert (inside > 0) == (name == record.target)
        recorded = dict(rows.group_by("name").len().rows())
        own = counted[record.target]
        for name in ("GET /missing", "GET /old", "POST /orders", "GET /items/7", "GET /items/8"):
            assert recorded[name] == own[name] > 0
        assert recorded["GET /items/[n]"] == sum(own[f"GET /items/{n}"] for n in (1, 2, 9))
        # Of each user once, outside its turns; and not recorded.
        assert own["POST /login"] == own["POST /logout"] > 0
        assert not {"POST /login", "POST /logout"} & recorded.keys()
        assert record.remarks == record.locust.remarks == []


@pytest.mark.serial
def test_silent_server_collapses_under_a_locustfile(tmp_path: Path) -> None:
    command = [sys.executable, str(BEHAVING), "{{port}}", "silent", "50"]
    head = PLAN.partition("[[targets]]")[0].replace("20.0", "0.5")
    target = f'[[targets]]\nname = "one"\ncommand = {json.dumps(command)}\n'
    scenario = "[[scenarios]]" + PLAN.partition("[[scenarios]]")[2]
    plan = write(tmp_path, f"{CLASS}self.client.get('/')", head + target + scenario)
    with clean_rig(plan, tmp_path) as rig:
        [record] = rig.measure(cells(plan), [tmp_path])
    assert record.outcome == "collapsed"
    assert record.unanswered > 0
    rows = pl.read_parquet(tmp_path / "requests.parquet")
    assert rows.filter(pl.col("status") == 0).height == record.unanswered


# The preflight.


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("plan")
    with clean_rig(write(folder), folder) as found:
        yield found


def checked(plan: Plan, rig: Rig) -> PreflightPair:
    [pair] = check(plan, "plan.toml", rig, lambda _: None)
    return pair


def test_one_user_of_each_class_is_compared(tmp_path: Path, rig: Rig) -> None:
    pair = checked(write(tmp_path), rig)
    # Shopper: a login, and twice six requests and one after the task; Api: twice two.
    assert pair.requests == 1 + 2 * 6 + 1 + 2 * 2
    assert {"status", "headers", "bytes"} <= set(pair.equal)


def test_urls_of_the_files_own_host_reach_the_target(tmp_path: Path, rig: Rig) -> None:
    """And those without a slash, for a host that ends with one. Names have no address."""
    host = "    host = 'http://shop.test/'\n"
    code = (
        f"{HEAD}class A(HttpUser):\n{host}{TASK}self.client.get('http://shop.test/items/1')\n"
        f"        self.client.get('items/1?page=http://other.test/')\n"
        f"class B(FastHttpUser):\n{host}{TASK}self.client.get('http://shop.test/nowhere')\n"
    )
    with pytest.raises(PreflightError) as refused:
        checked(write(tmp_path, code), rig)
    assert "the locustfile: GET /nowhere was answered with 404 (if that" in str(refused.value)
    assert "more)" not in str(refused.value)


def test_different_responses_are_refused(tmp_path: Path, rig: Rig) -> None:
    drift = 'name = "two"\nenv = { SHOP_DRIFT = "!" }\n'
    declared = 'expected_differences = { environment = "drift" }\n'
    text = (
        PLAN.replace('name = "two"\n', drift + declared).replace("{ ", "{{ ").replace(" }", " }}")
    )
    with pytest.raises(PreflightError) as refused:
        checked(write(tmp_path, plan=text), rig)
    first, second = str(refused.value).split("\n")[:2]
    assert first == "plan.toml: 1 difference between 'two' and 'one'; nothing was measured"
    assert second.startswith("bytes of 'two' and 'one': in 12 requests, first: scenario 'shop': ")


@pytest.mark.parametrize(
    ("locustfile", "message"),
    [
        ("import nowhere", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("x = (", "cannot be imported: '(' was never closed (shop.py, line 1)"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3 (shop.py, line 1)"),
        (HEAD, "holds no user class"),
        (f"{HEAD}class A(User):\n{TASK}pass", "'A', which is neither an HttpUser nor a"),
        (f"{CLASS}pass", "has a user class 'A' that sends no request"),
        (f"{OPTION}{CLASS}pass", "option without a default: the following arguments are required"),
        (f"{CLASS}self.client.get('http://127.0.0.1/')", "is not a request to the target"),
    ],
)
def test_a_wrong_locustfile_is_refused(
    tmp_path: Path, rig: Rig, locustfile: str, message: str
) -> None:
    with pytest.raises(PlanError) as refused:
        checked(write(tmp_path, locustfile), rig)
    assert str(refused.value).startswith(f"{tmp_path / 'load' / 'shop.py'}: ")
    assert message in str(refused.value)


def test_an_unknown_user_class_is_refused(tmp_path: Path, rig: Rig) -> None:
    text = PLAN.replace("closed", 'users = ["Shoper"]\nclosed')
    with pytest.raises(PlanError, match="no user class 'Shoper'; did you mean 'Shopper'"):
        checked(write(tmp_path, plan=text), rig)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("self.client.get('/nowhere')", "GET /nowhere was answered with 404 (if that is meant"),
        ("self.client.get('/items/1'); 1 / 0", "A.t raised ZeroDivisionError"),
        ("import os; os._exit(7)", "its process exited with code 7"),
        ("raise SystemExit('no data')", "A.t raised SystemExit: no data (shop.py, line 5)"),
        ("self.environment.runner.quit()", "A.t ended the test (shop.py, line 5)"),
        ("import os; os.fork() or os._exit(0)", "A.t forks the process"),
        ("with self.rest('GET', '/items/1') as r: r.failure('no')", "GET /items/1 failed: no"),
    ],
)
def test_a_failure_in_a_trial_is_refused(tmp_path: Path, rig: Rig, code: str, message: str) -> None:
    with pytest.raises(PreflightError) as refused:
        checked(write(tmp_path, CLASS + code), rig)
    assert f"'one', scenario 'shop': the locustfile: {message}" in str(refused.value)
