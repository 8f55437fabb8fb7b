"""Preflight of two real servers: the second is the first with one drift planted in it."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support import factories
from tests.support.faults import TINY
from tests.support.processes import LONG_S, twinbench
from tests.system.planted import APP, CHANGING, OTHERS, PLAN, write_pair
from twinbench.measure.rig import Rig
from twinbench.plan import Aspect, Plan, Scenario, read_plan
from twinbench.preflight import check as check_module
from twinbench.preflight.check import check
from twinbench.preflight.collect import Observation, collect
from twinbench.preflight.result import PreflightError, PreflightPair

SELECT = "connection.scalar(select(rows.c.name).where(rows.c.id == n))"
CACHED = f"KEPT.get(n) or KEPT.setdefault(n, {SELECT})"
CACHED_AT_THE_THIRD = f"COUNT.update([n]) or COUNT[n] < 3 and {SELECT} or 'row {{n}}'"
TOUCH = "(FILE.parent / 'x').touch()"
OWN_DATABASE = "sqlite3.connect(FILE.parent / 'x').execute('CREATE TABLE x (y)')"


UNREAD = "sqlite in memory: only SQLite files and {postgres} are read"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    plan = factories.plan(services=[factories.UPSTREAM])
    with Rig(plan, tmp_path_factory.mktemp("logs")) as found:
        yield found


@pytest.fixture(scope="module")
def collected() -> dict[str, Observation]:
    """Observations of the app without a drift, by plan and number of the start."""
    return {}


@pytest.fixture(autouse=True)
def collect_once(collected: dict[str, Observation], monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the app without a drift once for all tests: a start takes about a second."""
    starts: Counter[str] = Counter()

    def collect_once(
        plan: Plan,
        labels: Mapping[str, str],
        scenarios: Sequence[Scenario],
        names: Sequence[str],
        rig: Rig,
    ) -> list[Observation]:
        starts.update(names)
        keys: dict[str, str] = {}
        for name in names:
            target = plan.target(name)
            app = (target.cwd or Path()) / f"{name}.py"
            if app.exists() and app.read_text() == APP:
                # Without the folder, which is another one in each test.
                kept = target.model_copy(update={"cwd": None})
                keys[name] = repr((starts[name], kept, scenarios))
        missing = [name for name in names if keys.get(name) not in collected]
        found = dict(zip(missing, collect(plan, labels, scenarios, missing, rig), strict=True))
        collected.update({keys[name]: found[name] for name in missing if name in keys})
        return [found[name] if name in found else collected[keys[name]] for name in names]

    monkeypatch.setattr(check_module, "collect", collect_once)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restart without a pause: the drift does not depend on the time."""
    monkeypatch.setattr(check_module, "RESTART_PAUSE_S", 0.0)


def checked(rig: Rig, plan_file: Path) -> PreflightPair:
    [pair] = check(read_plan(plan_file), plan_file.name, rig, lambda _: None)
    return pair


def refused(rig: Rig, plan_file: Path) -> str:
    with pytest.raises(PreflightError) as found:
        checked(rig, plan_file)
    return str(found.value)


def test_equal_targets_are_started_once(tmp_path: Path, rig: Rig) -> None:
    messages: list[str] = []
    plan = read_plan(write_pair(tmp_path, plan=PLAN + OTHERS))
    [pair] = check(plan, "plan.toml", rig, messages.append)
    assert messages == ["starting upstream", "checking one, two"]
    assert (pair.requests, pair.volatile) == (21, 0)
    assert pair.missing_text == "SQL, commits (those of SQLite connections that bypass SQLAlchemy)"
    assert pair.conditions["event loop"] == "uvloop.Loop"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("old", "new", "aspect", "where", "shown"),
    [
        ('"id": n', '"id": n + 1', "bytes", "(requests[0], draw 1)", '+ "id": '),
        ("# one more header", 'response.headers["x-a"] = "y"', "headers", "requests[0]", "+x-a: y"),
        (
            "# one more SELECT",
            "connection.execute(select(rows.c.id).limit(3))",
            "SQL",
            "scenario 'rows': GET /rows/{1..5} (requests[0], draw 1)",
            "+ LIMIT ? OFFSET ?",
        ),
        (
            "# one more COMMIT",
            "connection.commit()",
            "commits",
            "scenario 'rows': POST /rows (requests[1])",
            "+2 commits",
        ),
        (
            "'finished'",
            "'Finished'",
            "final database",
            "after the last request",
            "+rows: id=9, name='Finished'",
        ),
        ("FastAPI(l", 'FastAPI(title="Two", l', "OpenAPI", "/openapi.json", '+  "title": '),
        (
            '(f"sqlite:///{FILE}")',
            '(f"sqlite:///{FILE}", pool_size=7)',
            "settings",
            "after the last request",
            "+engine 1: queue: maxsize=7",
        ),
        # Work that is cached from the second or the third time on.
        (SELECT, CACHED, "SQL", "draw 1, again)", ""),
        (SELECT, CACHED_AT_THE_THIRD, "SQL", "after the others)", ""),
        ('@app.get("/fetch")', '@app.get("/fetch")\n@functools.cache', "upstream requests", "", ""),
        # Files and databases, during a request and at the start.
        ('b"\\xff" + body["text"]', 'b"\\xfe" + body["text"]', "files", "(requests[2])", ""),
        ("# one more file", TOUCH, "files", "(requests[2])", ""),
        ("TOKEN = ", f"{TOUCH}\nTOKEN = ", "files", "at its start", ""),
        ("TOKEN = ", f"{OWN_DATABASE}\nTOKEN = ", "final database", "", ""),
    ],
)
def test_a_drift_is_refused(
    tmp_path: Path, rig: Rig, old: str, new: str, aspect: str, where: str, shown: str
) -> None:
    first, *lines = refused(rig, write_pair(tmp_path, old, new, PLAN + OTHERS)).splitlines()
    assert first.startswith("plan.toml: ")
    assert first.endswith(" between 'two' and 'one'; nothing was measured")
    [number] = [
        n for n, line in enumerate(lines) if line.startswith(f"{aspect} of 'two' and 'one': ")
    ]
    heading, *diff = lines[number:]
    assert where in heading
    assert [line.partition(",")[0] for line in diff[:2]] == ["  --- one", "  +++ two"]
    assert any(line.startswith("  " + shown) for line in diff), diff


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("planted", "shown"),
    [
        ("LOOPS[0].set_debug(True)", "+asyncio debug: on"),
        ("import tracemalloc; tracemalloc.start()", "+tracemalloc: on"),
        ("import gc; gc.freeze()", "+frozen objects: some"),
        ("import gc; gc.set_threshold(10_000)", "+garbage collector: on, thresholds (10000, "),
        ("import gc; gc.disable()", "+garbage collector: off, "),
        ("import sys; sys.setprofile(lambda *_: None)", "+trace function: on"),
        ("threading.setprofile(lambda *_: None)", "+trace function of threads: on"),
        ("current_default_thread_limiter().total_tokens = 80", "+thread limit: 80"),
        ("app.debug = True", "+app debug: on"),
        ("os.nice(1)", "+nice value: "),
    ],
)
def test_a_condition_that_differs_is_refused(
    tmp_path: Path, rig: Rig, planted: str, shown: str
) -> None:
    _, message, *diff = refused(rig, write_pair(tmp_path, "# at startup", planted)).splitlines()
    assert message == "settings of 'two' and 'one': after the last request"
    assert any(line.startswith("  " + shown) for line in diff)


def test_variables_that_differ_must_be_declared(tmp_path: Path, rig: Rig) -> None:
    one, name, two = PLAN.partition('name = "two"')
    plan = one + name + two.replace("env = {", 'env = { PYTHONHASHSEED = "7",')
    message = refused(rig, write_pair(tmp_path, plan=plan))
    assert "\n  PYTHONHASHSEED is set differently\n" in message
    assert message.endswith('expected_differences = { environment = "TODO: why" }')
    declared = 'app = "two:app"\nexpected_differences = { environment = "a try" }'
    plan = plan.replace('app = "two:app"', declared)
    pair = checked(rig, write_pair(tmp_path, plan=plan))
    assert pair.declared_text == "environment ('two': PYTHONHASHSEED: a try)"


PAST = "those of SQLite connections that bypass SQLAlchemy"
IN_MEMORY = """
from sqlalchemy import text
from sqlalchemy.pool import StaticPool
memory = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)


@app.get("/words")
def words() -> int:
    with memory.connect() as connection:
        return connection.scalar(text("SELECT 1"))
"""
WORDS = APP[APP.index('@app.get("/words")') : APP.index('@app.get("/fetch")')]
ODD = """class Odd(str):
            __repr__ = None
        sqlite3.register_adapter(Odd, str)
        connection.execute(insert(rows).values(name=Odd("odd")))
"""
OUTSIDE_DATABASE = "sqlite3.connect('FOLDER/x.db').execute('PRAGMA user_version = 1')"
OUTSIDE = "those outside {scratch}, in FOLDER"
LOG = "open('FOLDER/log', 'w').close()"
RAW = "engine.raw_connection().close()"


@pytest.mark.parametrize(
    ("old", "new", "aspect", "reason"),
    [
        ("# one more file", LOG, "files", OUTSIDE),
        ("TOKEN = ", f"{LOG}\nTOKEN = ", "files", OUTSIDE),
        ("# one more COMMIT", RAW, "SQL", f"{PAST}; {PAST} and those of raw connections"),
        ("# one more COMMIT", OUTSIDE_DATABASE, "final database", OUTSIDE),
        # In both: it would be a difference, too.
        (WORDS, IN_MEMORY, "final database", UNREAD),
        ("# one more COMMIT", ODD, "SQL", "the observer failed: TypeError"),
    ],
)
def test_work_that_is_not_observed_is_reported(
    tmp_path: Path, rig: Rig, old: str, new: str, aspect: Aspect, reason: str
) -> None:
    new = new.replace("FOLDER", str(tmp_path))
    targets = ("one", "two") if new in (IN_MEMORY, ODD) else ("two",)
    pair = checked(rig, write_pair(tmp_path, old, new, PLAN + OTHERS, targets))
    assert pair.missing[aspect] == reason.replace("FOLDER", str(tmp_path))


@pytest.mark.parametrize(
    "planted",
    [
        "socket.create_connection(('127.0.0.1', PORT)).close()",
        "KEPT['x'] = await asyncio.open_connection('127.0.0.1', PORT)",  # made by uvloop
    ],
)
def test_connections_elsewhere_are_reported(tmp_path: Path, rig: Rig, planted: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        port = str(elsewhere.getsockname()[1])
        planted = planted.replace("PORT", port)
        pair = checked(rig, write_pair(tmp_path, "# at startup", planted, PLAN + OTHERS))
    assert pair.missing["upstream requests"] == f"those to 127.0.0.1:{port} are not counted"


@pytest.mark.parametrize(
    "started",
    [
        "threading.Thread(target=finish).start()",
        "LOOPS[0].call_soon_threadsafe(lambda: LOOPS[0].create_task(asyncio.to_thread(finish)))",
    ],
)
def test_work_after_the_response_counts(
    tmp_path: Path, rig: Rig, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinbench.measure.server.QUIET_S", LONG_S)
    monkeypatch.setattr("twinbench.measure.server.LASTING_S", LONG_S)
    checked(rig, write_pair(tmp_path, "tasks.add_task(finish)", started))


@pytest.mark.smoke
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_refusal_exits_with_3_and_measures_nothing(tmp_path: Path, command: str) -> None:
    write_pair(tmp_path, "'finished'", "'Finished'", "blocks = 4" + PLAN)
    done = twinbench(command, "plan.toml", cwd=tmp_path)
    # What would make the run show little is printed before anything is started.
    [remark] = done.stdout.splitlines()
    assert remark.startswith("Remark: The plan has few blocks (4)")
    assert remark.endswith("; set blocks = 5 or more.")
    assert done.returncode == 3
    assert "  -rows: id=9, name='finished'\n  +rows: id=9, name='Finished'\n" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_volatile_values_are_learned(tmp_path: Path, rig: Rig) -> None:
    plan = PLAN + CHANGING + CHANGING.replace('name = "uploads"', 'name = "again"')
    pair = checked(rig, write_pair(tmp_path, plan=plan))
    # One token for both scenarios: their setup is the same.
    assert pair.requests == 3 * 4 + 1 + 3 * 2
    assert set(pair.missing) == {"SQL", "commits"}
    # At least: the token, the file's name in the response, in the SQL and in the database.
    assert pair.volatile >= 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # How many are grouped depends on the random values.
        ("token_hex(8)", "token_hex(7)", "bytes of 'two' and 'one': "),
        (
            'return {"token": TOKEN}',
            # Another number of entries in every second; the starts are further apart than that.
            'return {"token": TOKEN, **{str(n): "" for n in range(int(time.time()) % 1000)}}',
            "bytes of 'two' differ in structure from start to start: scenario 'uploads': setup:",
        ),
        (
            '{"token"',
            '{"access"',
            "plan.toml: targets[1]: 'two', setup: GET /token: there is no 'token' in its response",
        ),
        ("time.sleep(0.1)", "os._exit(7)", "POST /rows (requests[1]): it exited with"),
    ],
)
def test_a_target_that_cannot_be_compared_is_refused(
    tmp_path: Path, rig: Rig, old: str, new: str, message: str
) -> None:
    assert message in refused(rig, write_pair(tmp_path, old, new, PLAN + CHANGING))


def test_a_response_without_end_is_refused(tmp_path: Path, rig: Rig) -> None:
    # The first response, which shows that the server is ready, is right.
    plan = TINY.replace("collapse_s = 20.0", "collapse_s = 0.1").replace('"wait"', '"drip", "1"')
    (tmp_path / "plan.toml").write_text(plan)
    assert refused(rig, tmp_path / "plan.toml").splitlines() == [
        "plan.toml: 1 problem; nothing was measured",
        "plan.toml: targets[0]: 'one', scenario 'get': GET / was answered with a response that did"
        " not end within 0.5 s: end it sooner, set a longer collapse_s, or leave this request out"
        " of the plan",
        "  likewise plan.toml: targets[1]: 'two', scenario 'get': GET /",
    ]


def test_an_error_of_an_app_is_quoted(tmp_path: Path, rig: Rig) -> None:
    """It is logged after the response, and SQLAlchemy's last lines are the statement."""
    text = "__import__('sqlalchemy').text('SELECT a\\nFROM nowhere')"
    found = refused(rig, write_pair(tmp_path, SELECT, f"connection.scalar({text})"))
    assert "was answered with 500, the plan expects 200; the server's last output: " in found
    assert "OperationalError) no such table: nowhere" in found


def test_targets_that_cannot_run_at_once_are_refused(tmp_path: Path, rig: Rig) -> None:
    lock = f"LOOPS.append(open({str(tmp_path / 'lock')!r}, 'w'))"
    planted = f"import fcntl; {lock}; fcntl.flock(LOOPS[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)"
    plan_file = write_pair(tmp_path, "# at startup", planted, targets=("one", "two"))
    assert "could not be started" in refused(rig, plan_file)
    plan_file.write_text('schedule = "sequential"' + PLAN)
    assert checked(rig, plan_file).volatile == 0


def test_an_expected_difference_passes_with_its_reason(tmp_path: Path) -> None:
    plan = PLAN.replace('"two:app"', '"two:app"\nexpected_differences = "tuned by hand"')
    write_pair(tmp_path, '"id": n', '"id": n + 1', plan)
    done = twinbench("check", "plan.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        "two against one: not compared, expected to differ: tuned by hand"
    )
    assert not (tmp_path / "reports").exists()


def test_a_server_is_observed_on_request_only(tmp_path: Path, rig: Rig) -> None:
    plan = read_plan(write_pair(tmp_path))
    for observe in (False, True):
        server = rig.start(plan.targets[0], observe=observe)
        try:
            assert (server.work(10) is not None) == observe
        finally:
            server.stop(at_once=True)
