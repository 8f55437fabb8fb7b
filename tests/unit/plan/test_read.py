"""Plans from TOML files: what is accepted, what is refused and with which message."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.plans import refusal, write_plan
from twinbench.paths import PLANS
from twinbench.plan import Plan, PlanError, read_plan, read_scenario, scenario_names
from twinbench.run import read_plan_here

PLAN = """
name = "p"
[[targets]]
name = "sync"
app = "apps.sync_app.main:app"
[[scenarios]]
use = "noop"
closed = [1, 8]
"""
UPLOAD = 'requests = [{ method = "POST", path = "/", upload = { file = "me.png" } }]\n'
LOGIN = """
setup = [
    { method = "POST", path = "/token", form = { username = "u" }, capture = { token = "access" } },
    { path = "/me", headers = { Authorization = "Bearer {token}" }, capture = { mine = "id" } },
]
requests = [{ path = "/posts/{mine}/{1..9}", headers = { Authorization = "Bearer {token}" } }]
"""


DEEP = "nested more than 50 levels deep"
DIGITS = "a number has thousands of digits"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mesure_s = 1", "unknown key 'mesure_s'; did you mean 'measure_s'?"),
        ("blocks = 0", "blocks: Input should be greater than or equal to 1, not 0"),
        ("blocks = 1e9", "integer, written without point and exponent"),
        ("collapse_s = 1e300", "collapse_s: Input should be less than"),
        ("warmup_s = inf", "warmup_s: Input should be a finite number"),
        ('ready_s = "3"', 'a valid number, not "3"'),
        (f"memory_mib = {10**30}", "memory_mib: Input should be less"),
        (f"seed = {'9' * 3900}", "less than or equal to 900719925474"),
        (f"seed = {'9' * 5000}", DIGITS),
        (f"seed = 0x{'f' * 9999}", DIGITS),
        (f"x = {'[' * 9999}", DEEP),
        (f"x = {'[' * 60}{']' * 60}", DEEP),
        (f"[a{'.a' * 9999}]", DEEP),
        (f"x{'.a' * 9999} = 1", DEEP),
        ('"\\"".' * 9999 + "x = 1", DEEP),
        ("#" * 300_000, "this plan is longer than 256 KiB"),
        ('about = "p', "not valid TOML"),
        ('time = "ten"', "time: 'ten' is no time up to a week: write it as"),
        ('time = "9999h"', "is no time up to a week"),
        ('precision = "5"', "precision: '5' is no percentage: write it as 5%"),
        ('time = "10m"\nblocks = 5', "blocks: the plan's time chooses it"),
        ('schedule = "alternate"', "schedule: Input should be 'alternating' or 'sequential'"),
        ("windows = 0", "windows: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_key_of_a_plan_is_refused(tmp_path: Path, line: str, message: str) -> None:
    text = PLAN.replace("[[targets]]", f"{line}\n[[targets]]", 1)
    assert message in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('ap = "a:b"', "targets[0]: unknown key 'ap'; did you mean 'app'?"),
        ('command = ["serve"]', "targets[0]: give one of app, command and url"),
        ('ready = "health"', "targets[0].ready: a path begins with '/'"),
        ('ready = "/{x}"', "targets[0].ready: placeholders are not filled in"),
        ("backlog = 100", "targets[0]: backlog is for a command"),
        ('server = "gunicron"', "targets[0].server: Input should be 'uvicorn', 'granian', 'hyp"),
        (
            'loop = "trio"',
            "targets[0]: loop of uvicorn is one of auto, asyncio, uvloop, not",
        ),
        ('server = "gunicorn"\nhttp = "h11"', "targets[0]: gunicorn has no http to choose"),
        ("server_options = { fd = 3 }", "server_options: 'fd' is set by twinbench"),
        ("server_options = { workers = 3 }", "'workers' is a key of the target; leave it out"),
        ("server_options = { a = { b = 1 } }", "server_options.a: an option is a text, a number"),
        ("server_options = { a = nan }", "server_options.a: an option is a text, a number"),
        ('server_options = { "--a" = 1 }', "targets[0].server_options.--a"),
        ('server = "granian"\nserver_options = { ws = false }', "'ws' is an option of a command"),
        ('server = "granian"\nlimit_concurrency = 9', "limit_concurrency is of uvicorn; granian"),
        ('url = "http://127.0.0.1:80"', "targets[0]: give one of app, command and url"),
        ("pid = 1", "targets[0]: pid is for a url"),
        ("ready_status = 204", "targets[0]: ready_status needs ready"),
        ('prepare = "alembic upgrade head"', "targets[0].prepare: Input should be a valid list"),
        ('prepare = ["a\\u0000"]', "targets[0].prepare[0]: holds a NUL byte"),
        ('env.A = "{postgresql}"', "holds {postgresql}: write it as {postgres} or"),
        ('env.A = "{postgres+a b}"', "holds {postgres+a b}: write it as {postgres} or"),
        ('prepare = ["{services.db.port}"]', "target 'sync' holds {services.db.port}, which is"),
        ('cwd = "nowhere"', "targets[0].cwd: there is no folder nowhere"),
        ('import_from = "nowhere"', "targets[0].import_from: there is no folder nowhere"),
        ('import_from = "."\ncwd = "."', "targets[0]: an app is imported from its cwd"),
        ('cwd = "a\\u0000b"', "targets[0].cwd: holds a NUL byte"),
        ('env."\\u0000" = ""', "targets[0].env.'\\x00': holds a NUL byte"),
        ('env."A=B" = ""', "targets[0].env.A=B: the name of a variable"),
        ('env."" = ""', "targets[0].env.'': the name of a variable"),
        (f"env.A = '{'a' * 60_001}'", "targets[0].env.A: longer than 60,000 bytes"),
        ('expected_differences = { setings = "x" }', "'setings'; did you mean 'settings'?"),
        ('expected_differences = ""', "expected_differences: give reasons"),
        ("expected_differences = { SQL = 5 }", "expected_differences: give reasons"),
        ('[[targets]]\nname = "sync"\napp = "b:app"', "target 'sync' is given twice"),
        ('[[targets]]\napp = "b:app"', "targets[1]: 'name' is missing"),
        ('[[targets]]\nname = "../x"', "targets[1].name: String should match pattern"),
    ],
)
def test_a_wrong_key_of_a_target_is_refused(tmp_path: Path, line: str, message: str) -> None:
    text = PLAN.replace("[[scenarios]]", f"{line}\n[[scenarios]]")
    assert message in refusal(tmp_path, text)


SERVICE = """
[[services]]
name = "api"
app = "api:app"
[[services]]
name = "queue"
command = ["serve", "{port}"]
env = { API = "{services.api.url}" }
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('app = "api:app"', 'ap = "a:b"', "services[0]: unknown key 'ap'; did you mean 'app'?"),
        ('app = "api:app"', "", "services[0]: give either app or command"),
        ('app = "api:app"', 'app = "api:app"\ncwd = "no"', "services[0].cwd: there is no folder"),
        ('app = "api:app"', 'app = "api:app"\nready_status = 204', "ready_status needs ready"),
        ('["serve", "{port}"]', '[""]', "services[1].command: its first text, which names a"),
        ('["serve", "{port}"]', "[]", "services[1].command: List should have at least 1 item"),
        ('"queue"', '"api"', "service 'api' is given twice"),
        ("{services.api.url}", "{services.queue.url}", "service 'queue' holds {services.queue"),
        ("{services.api.url}", "{services.apy.url}", "did you mean '{services.api.url}'?"),
        ("{services.api.url}", "{services.api.path}", "{services.api.path}, which is no address"),
        (SERVICE, SERVICE + 'ready = "health"', 'services[1].ready: write it as "/path" or'),
        (SERVICE, SERVICE + 'ready = "http://example.com:80/"', "services[1].ready: write it as"),
        (SERVICE, SERVICE + 'ready = "http://127.0.0.1:70000/"', "a port is at most 65535"),
        ('app = "api:app"', 'app = "a:b"\nready = "http://127.0.0.1:1/"', "at a free port"),
        ('"{port}"', '"8000"', "but the port of 'queue' is not known: write {port}"),
        ('"{port}"]', '"8000"]\nready = "/health"', "services[1]: its port is not known: write"),
    ],
)
def test_a_wrong_service_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    used = PLAN.replace("[[sc", 'env = { QUEUE = "{services.queue.url}" }\n[[sc')
    assert old in SERVICE
    assert message in refusal(tmp_path, used + SERVICE.replace(old, new, 1))


def test_an_address_of_a_service_in_a_request_is_refused(tmp_path: Path) -> None:
    body = 'name = "a"\nrequests = [{ path = "/", method = "POST", body = { to = "{}" } }]'
    plan = PLAN.replace('use = "noop"', body.replace("{}", "{services.queue.url}"))
    assert "'POST /' holds {services.queue.url}: addresses of" in refusal(tmp_path, plan + SERVICE)
    assert read_plan(write_plan(tmp_path, plan))  # the app's own braces


@pytest.mark.parametrize(
    ("ready", "port", "path"),
    [
        ('"/health"', 0, "/health"),
        ('"http://127.0.0.1:{port}/health"', 0, "/health"),
        ('"http://localhost:9200"', 9200, "/"),
    ],
)
def test_ready_of_a_service_is_a_path_or_a_url(
    tmp_path: Path, ready: str, port: int, path: str
) -> None:
    [_, queue] = read_plan(write_plan(tmp_path, f"{PLAN}{SERVICE}ready = {ready}")).services
    assert (queue.fixed_port, queue.as_target().ready) == (port, path)
    assert queue.has_address


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://127.0.0.1", "targets[0].url: TLS is not measured"),
        ("127.0.0.1:8000", "targets[0].url: write it as http://HOST:PORT"),
        ("http://127.0.0.1:99999", "targets[0].url: 'http://127.0.0.1:99999' is no URL"),
        ("http://127.0.0.1/api", "targets[0].url: has a path, which belongs to the path of each"),
        ("http://[::1]:8000", "targets[0].url: an IPv6 address"),
        ('http://a"\nworkers = 2 #', "targets[0]: workers is for a server that twinbench starts"),
        ('http://a"\nenv = { A = "b" } #', "targets[0]: env is for a server that twinbench starts"),
        ('http://a"\nprepare = ["true"] #', "targets[0]: prepare is for a server that"),
        ('http://a"\nserver = "granian" #', "targets[0]: server is for an app"),
    ],
)
def test_a_wrong_url_of_a_target_is_refused(tmp_path: Path, url: str, message: str) -> None:
    text = PLAN.replace('app = "apps.sync_app.main:app"', f'url = "{url}"')
    assert message in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("closed", "message"),
    [
        ("clsoed = [1]", "scenarios[0]: unknown key 'clsoed'; did you mean 'closed'?"),
        ('closed = ["8"]', "scenarios[0].closed[0]: Input should be a valid integer"),
        ("closed = [true]", "scenarios[0].closed[0]: Input should be a valid integer"),
        ("closed = [8, 8]", "scenarios[0]: a load is given twice in closed"),
        ("closed = []", "scenarios[0]: give loads: closed (users), open (requests a second)"),
        (f"closed = {list(range(1, 1002))}", "closed: List should have at most 1000 items"),
        ('closed = [1]\ntargets = ["snyc"]', "unknown target 'snyc'; did you mean 'sync'?"),
        ("open = [100000]\nmeasure_s = 1e4", "1,000,050,000 arrivals in one"),
        ("closed = [1]\nrequests = [{ path = '/', background = true }]", "leave one that is timed"),
        (f"requests = [{{ path = '/{{1..{'9' * 19}}}' }}]", "at most 18 digits"),
        (
            'closed = [1]\nexpected_differences = { byts = "x" }',
            "scenarios[0].expected_differences: unknown aspect 'byts'; did you mean 'bytes'?",
        ),
        (
            'closed = [1]\nexpected_differences = { bytes = "" }',
            "scenarios[0].expected_differences: give reasons",
        ),
        (
            'closed = [1]\nexpected_differences = { settings = "x" }',
            "scenarios[0].expected_differences: 'settings' is of a target, not of requests: write"
            " it under [[targets]]",
        ),
        ("requests = [{ path = '/', body = { a = nan } }]", "a finite number"),
        ('requests = [{ path = "/", upload = { f = "a\\u0000" } }]', "upload.f: holds a NUL byte"),
        (UPLOAD, "scenarios[0].requests[0].upload.file: there is no file me.png"),
    ],
)
def test_a_wrong_key_of_a_scenario_is_refused(tmp_path: Path, closed: str, message: str) -> None:
    assert message in refusal(tmp_path, PLAN.replace("closed = [1, 8]", closed))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "scenarios[0]: give requests, or a locustfile"),
        ('users = ["A"]\nrequests = [{ path = "/" }]', "scenarios[0]: users needs a locustfile"),
        ('locustfile = "nowhere.py"', "scenarios[0].locustfile: there is no file nowhere.py"),
        ('locustfile = "l.py"\nusers = ["a b"]', "scenarios[0].users[0]: String should match"),
        ('locustfile = "l.py"\nopen = [5]', "takes no open: its users send at their own times"),
        ('locustfile = "l.py"\nrequests = [{ path = "/" }]', "takes no requests: its users send"),
        ('locustfile = "l.py"\nsetup = [{ path = "/" }]', "takes no setup: its users prepare"),
        ('locustfile = "l.py"\nexpected_failures = ["/"]', "[0]: write method and name of a"),
        ('locustfile = "l.py"\nsequence = true', "takes no sequence: its users have tasks"),
        ('locustfile = "l.py"\nfeed = "l.csv"', "takes no feed: its users read files themselves"),
    ],
)
def test_a_wrong_locustfile_key_is_refused(tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "l.py").touch()
    (tmp_path / "l.csv").write_text("word\na\n")
    assert message in refusal(tmp_path, PLAN.replace('use = "noop"', f'name = "a"\n{lines}'))


def test_a_locustfile_is_relative_to_the_plan(tmp_path: Path) -> None:
    (tmp_path / "l.py").touch()
    lines = 'name = "a"\nlocustfile = "l.py"\nusers = ["Reader"]'
    plan = read_plan(write_plan(tmp_path, PLAN.replace('use = "noop"', lines)))
    assert plan.scenarios[0].locustfile == tmp_path / "l.py"
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_an_unknown_scenario_file_is_refused(tmp_path: Path) -> None:
    message = "scenarios[0].use: there is no scenario 'nop'; did you mean 'noop'?"
    assert refusal(tmp_path, PLAN.replace("noop", "nop")) == message


@pytest.mark.parametrize("app", ["", ".a:app", ":app", "a:", "a", "a b:app", "a:b:c", "a:b()"])
def test_a_wrong_import_string_is_refused(tmp_path: Path, app: str) -> None:
    text = PLAN.replace('"apps.sync_app.main:app"', json.dumps(app))
    assert refusal(tmp_path, text).startswith("targets[0].app: write it as module:attribute")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "/{mine}/",
            "/{mien}/",
            "holds {mien}: no earlier setup request captures it; did you mean",
        ),
        ("{token}", "{mine}", "'setup: GET /me' holds {mine}: no earlier setup request captures"),
        ('path = "/token"', 'path = "/{user}"', "holds {user}: no earlier setup request captures"),
        ("form", "weight = 2, form", "scenarios[0].setup[0]: unknown key 'weight'; known: "),
        ("form", "body = {}, form", "scenarios[0].setup[0]: give only one of body and form"),
        ("{ token =", "{ Token =", "scenarios[0].setup[0].capture.Token"),
        ("Bearer {token}", "a\\nb", "scenarios[0].setup[1].headers.Authorization"),
        ('path = "/me",', 'path = "/me", upload = {},', "scenarios[0].setup[1].upload"),
    ],
)
def test_a_wrong_setup_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refusal(tmp_path, PLAN + LOGIN.replace(old, new, 1))


def test_braces_are_left_to_the_app_without_setup(tmp_path: Path) -> None:
    requests = 'requests = [{ path = "/{token}", body = { q = "{ user { name } }" } }]\n'
    [scenario] = read_plan(write_plan(tmp_path, PLAN + requests)).scenarios
    assert scenario.requests[0].names == ["token"]


def test_too_many_cells_are_counted_not_listed(tmp_path: Path) -> None:
    many = f"blocks = 10000\n{PLAN}".replace("[1, 8]", str(list(range(1, 12))))
    assert refusal(tmp_path, many) == (
        "110,000 measurements (blocks x loads x targets), which take 4 days; a plan has"
        " at most 100,000"
    )


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    marked = write_plan(tmp_path, "")
    marked.write_bytes(b"\xef\xbb\xbf" + PLAN.replace("\n", "\r\n").encode())
    assert read_plan(marked) == read_plan(write_plan(tmp_path, PLAN))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "there is no such plan file"),
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"\xff"), "not a text in UTF-8"),
        (lambda path: path.write_text("a = 1\rb = 2"), "not valid TOML"),
    ],
)
def test_a_plan_that_is_no_text_file_is_refused(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "plan.toml")
    with pytest.raises(PlanError, match=message):
        read_plan(tmp_path / "plan.toml")


@pytest.mark.parametrize(
    ("name", "message"),
    [("\udcff.toml", "not in UTF-8; rename it"), ("x" * 5000, "File name too long")],
)
def test_a_path_that_cannot_be_stored_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        read_plan(tmp_path / name)


def test_more_processes_than_cores_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinbench.measure.machine.usable_cores", lambda: 2)
    path = write_plan(tmp_path, f"processes = 3\n{PLAN}")
    with pytest.raises(PlanError, match=r"plan\.toml: processes = 3: .*set processes to 2 or less"):
        read_plan_here(path)


def test_missing_interpreter_is_refused_but_of_versions(tmp_path: Path) -> None:
    line = f"python = '{tmp_path}/nowhere'\n"
    path = write_plan(tmp_path, PLAN.replace("[[scenarios]]", f"{line}[[scenarios]]", 1))
    with pytest.raises(PlanError, match=r"targets\[0\]\.python: there is no file "):
        read_plan_here(path)
    assert read_plan_here(path, of_versions=True).targets[0].python
    path.write_text(path.read_text() + f'[[services]]\nname = "x"\napp = "x:app"\n{line}')
    with pytest.raises(PlanError, match=r"services\[0\]\.python: there is no file "):
        read_plan_here(path, of_versions=True)


def test_a_plan_overrides_its_scenario_file(tmp_path: Path) -> None:
    path = write_plan(tmp_path, PLAN + 'name = "other"\nabout = "Mine."\n')
    scenario = read_plan(path).scenarios[0]
    assert (scenario.name, scenario.about) == ("other", "Mine.")
    assert scenario.requests[0].path == "/workload/noop"


def test_uploads_are_relative_to_the_plan(tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(b"picture")
    plan = read_plan(write_plan(tmp_path, PLAN + UPLOAD))
    assert plan.scenarios[0].requests[0].upload == {"file": tmp_path / "me.png"}
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_uploads_of_a_scenario_file_are_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    monkeypatch.setattr("twinbench.plan.read.SCENARIOS", folder)
    (folder / "me.png").write_bytes(b"picture")
    (folder / "noop.toml").write_text(UPLOAD)
    [request] = read_plan(write_plan(tmp_path, PLAN)).scenarios[0].requests
    assert request.upload == {"file": folder / "me.png"}
    (folder / "me.png").unlink()
    with pytest.raises(PlanError, match=r"noop\.toml: requests\[0\]\.upload\.file: there is no"):
        read_plan(write_plan(tmp_path, PLAN))


def test_built_in_scenario_needs_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinbench.plan.read.SCENARIOS", tmp_path / "scenarios")
    with pytest.raises(PlanError, match="checkout of twinbench, and this is an installed"):
        read_plan(write_plan(tmp_path, PLAN))


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_plans_are_valid_and_declare_differences(path: Path) -> None:
    plan = read_plan(path)
    assert plan.name == path.stem
    assert plan.about
    for scenario in plan.scenarios:
        baseline, *others = (plan.target(name) for name in plan.targets_of(scenario))
        for other in others:
            if not other.expected_differences:
                same = {"name": baseline.name, "title": baseline.title, "app": baseline.app}
                assert other.model_copy(update=same) == baseline, (scenario.name, other.name)


@pytest.mark.parametrize("name", scenario_names())
def test_shipped_scenarios_are_described(name: str) -> None:
    assert {"title", "group", "about"} <= read_scenario(name).keys()


def test_wishes_replace_keys_of_the_plan(tmp_path: Path) -> None:
    path = write_plan(tmp_path, 'blocks = 3\ntime = "1h"\nprecision = "5%"\n' + PLAN)
    assert (read_plan(path).time, read_plan(path).blocks) == ("1h", 3)
    wished = read_plan(path, {"time": "10m", "precision": None})
    assert (wished.time, wished.precision) == ("10m", "5%")
    with pytest.raises(PlanError, match="time: 'soon' is no time"):
        read_plan(path, {"time": "soon"})


TWO_SCENARIOS = PLAN + '[[scenarios]]\nuse = "wait"\nclosed = [1]\n'


def test_only_keeps_scenarios_in_the_order_of_the_plan(tmp_path: Path) -> None:
    path = write_plan(tmp_path, TWO_SCENARIOS)
    assert [s.name for s in read_plan(path, only=["wait"]).scenarios] == ["wait"]
    assert [s.name for s in read_plan(path, only=["wait", "noop"]).scenarios] == ["noop", "wait"]
    with pytest.raises(PlanError, match=r"--only wiat: there is no such .*mean 'wait'"):
        read_plan(path, only=["noop", "wiat"])


@pytest.mark.parametrize(
    ("of_plan", "wishes", "message"),
    [
        ('time = "1h"\n', {"blocks": 7}, "--blocks: the plan's time chooses it"),
        ("", {"blocks": 7, "time": "1h"}, "--blocks: --time chooses it"),
        ("blocks = 2\n", {"blocks": 7}, ""),
        ('time = "1h"\nprecision = "5%"\n', {"blocks": 7}, ""),
        ("", {"blocks": 7, "time": "1h", "precision": "5%"}, ""),
    ],
)
def test_blocks_that_are_wished_conflict_with_a_time(
    tmp_path: Path, of_plan: str, wishes: dict[str, str | int | None], message: str
) -> None:
    path = write_plan(tmp_path, of_plan + PLAN)
    if not message:
        assert read_plan(path, wishes).blocks == 7
        return
    with pytest.raises(PlanError, match=message):
        read_plan(path, wishes)
