"""Two real servers that do the same work, and what is said of two that do not.

The second app is the first with one drift planted in it.
"""

import json
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support import factories
from tests.support.processes import BEHAVING, LONG_S, twinbench
from tests.system.planted import APP, CHANGING, OTHERS, PLAN, written
from twinbench.findings import PreflightPair
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, Scenario, read_plan
from twinbench.preflight import PreflightError, check
from twinbench.preflight.collect import collect
from twinbench.preflight.facts import Seen

# The module; the package has a function of the same name.
CHECK = sys.modules["twinbench.preflight.check"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(factories.plan(), tmp_path_factory.mktemp("logs")) as found:
        yield found


@pytest.fixture(scope="module")
def collected() -> dict[str, Seen]:
    """What was seen of the app without a drift, by plan and number of the start."""
    return {}


@pytest.fixture(autouse=True)
def collect_once(collected: dict[str, Seen], monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the app without a drift once for all tests: a start takes about a second."""
    starts: Counter[str] = Counter()

    def collect_once(
        plan: Plan, plan_file: str, scenarios: Sequence[Scenario], name: str, rig: Rig
    ) -> Seen:
        starts[name] += 1
        target = plan.target(name)
        app = (target.cwd or Path()) / f"{name}.py"
        if not app.exists() or app.read_text() != APP:
            return collect(plan, plan_file, scenarios, name, rig)
        # The folder is another one in each test.
        key = repr((starts[name], target.model_copy(update={"cwd": None}), scenarios))
        if key not in collected:
            collected[key] = collect(plan, plan_file, scenarios, name, rig)
        return collected[key]

    monkeypatch.setattr(CHECK, "collect", collect_once)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for another second on the clock: the drift does not depend on it."""
    monkeypatch.setattr(CHECK, "APART_S", 0.0)


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
        "two against one: 12 requests: OpenAPI, status, headers, bytes,"
        " upstream requests, files, final database, settings, environment: equal."
        " Not compared: SQL, commits (those of connections to SQLite past SQLAlchemy)"
    )
    assert pair.conditions["event loop"] == "uvloop.Loop"


@pytest.mark.usefixtures("at_once")
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
            "+rows: id=9, name='Finished'",
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
    assert sentence.startswith("plan.toml: targets[1]: ")
    assert where in sentence
    assert ": 'two' does not do the same work as 'one'" in sentence
    assert [line.partition(",")[0] for line in diff[:2]] == ["--- one", "+++ two"]
    assert any(line.startswith(shown) for line in diff), diff


SELECT = "connection.scalar(select(rows.c.name).where(rows.c.id == n))"
REMEMBERED = f"KEPT.get(n) or KEPT.setdefault(n, {SELECT})"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (SELECT, REMEMBERED, "draw 1, again): unequal SQL"),
        # Kept from the third time on.
        (
            SELECT,
            f"COUNT.update([n]) or COUNT[n] < 3 and {SELECT} or 'row {{n}}'",
            "after the others): unequal SQL",
        ),
        ('@app.get("/fetch")', '@app.get("/fetch")\n@functools.cache', "again): unequal upstream"),
        ('b"\\xff" + body["text"]', 'b"\\xfe" + body["text"]', "(requests[2]): unequal files"),
        ("# a file more", "(FILE.parent / 'x').touch()", "(requests[2]): unequal files"),
        ("TOKEN = ", "(FILE.parent / 'x').touch()\nTOKEN = ", "at its start: unequal files"),
        (
            "TOKEN = ",
            "sqlite3.connect(FILE.parent / 'x').execute('CREATE TABLE x (y)')\nTOKEN = ",
            "unequal final database",
        ),
    ],
)
def test_what_is_remembered_or_written_otherwise_is_refused(
    tmp_path: Path, rig: Rig, old: str, new: str, where: str
) -> None:
    assert where in refused(rig, written(tmp_path, old, new, PLAN + OTHERS)).splitlines()[0]


def test_a_target_that_remembers_is_refused_as_the_first_too(tmp_path: Path, rig: Rig) -> None:
    plan_file = written(tmp_path, "", "")
    (tmp_path / "one.py").write_text(APP.replace(SELECT, REMEMBERED))
    assert "again): unequal SQL" in refused(rig, plan_file)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("planted", "shown"),
    [
        ("loop.set_debug(True)", "+asyncio debug: on"),
        ("import tracemalloc; tracemalloc.start()", "+tracemalloc: on"),
        ("import gc; gc.freeze()", "+frozen objects: some"),
        ("import gc; gc.set_threshold(10_000)", "+garbage collector: on, thresholds (10000, "),
        ("import gc; gc.disable()", "+garbage collector: off, "),
        ("import sys; sys.setprofile(lambda *_: None)", "+trace function: on"),
        ("limiter.total_tokens = 80", "+thread limit: 80"),
        ("app.debug = True", "+app debug: on"),
        ("os.nice(1)", "+nice value: "),
        (
            "import threading; threading.setprofile(lambda *_: None)",
            "+trace function of threads: on",
        ),
    ],
)
def test_what_decides_speed_and_is_no_work_is_compared(
    tmp_path: Path, rig: Rig, planted: str, shown: str
) -> None:
    lifespan = f"""
@asynccontextmanager
async def lifespan(_):
    import asyncio
    from anyio.to_thread import current_default_thread_limiter
    loop, limiter = asyncio.get_running_loop(), current_default_thread_limiter()
    {planted}
    yield


app = FastAPI(lifespan=lifespan)
"""
    said = refused(rig, written(tmp_path, "app = FastAPI()", lifespan)).splitlines()
    assert "after the last request: unequal settings" in said[0]
    assert any(line.startswith(shown) for line in said)


@pytest.mark.parametrize("declared", ["", "environment", "settings"])
def test_variables_that_differ_are_declared_or_refused(
    tmp_path: Path, rig: Rig, declared: str
) -> None:
    differing = 'app = "two:app"\ncwd = "."\nenv = { PYTHONHASHSEED = "7", '
    differing = differing.replace(
        "app =", f'expected_differences = {{ {declared} = "a try" }}\napp =', 1
    )
    plan = PLAN.replace('app = "two:app"\ncwd = "."\nenv = { ', differing)
    plan_file = written(
        tmp_path, "", "", plan if declared else plan.replace("expected_differences", "# ")
    )
    if not declared:
        said = refused(rig, plan_file)
        assert "unequal environment" in said
        assert "\nPYTHONHASHSEED is set differently\n" in said
        assert said.endswith('expected_differences = { "environment" = "..." }')
    else:
        assert checked(rig, plan_file).declared["environment"] == "PYTHONHASHSEED: a try"


def test_the_order_of_a_set_of_text_is_no_difference(tmp_path: Path, rig: Rig) -> None:
    pair = checked(rig, written(tmp_path, "", "", PLAN + OTHERS))
    assert pair.volatile == 0


def test_files_outside_the_scratch_folder_are_said(tmp_path: Path, rig: Rig) -> None:
    line = f"(__import__('pathlib').Path({str(tmp_path)!r}) / 'log').write_text('a')"
    pair = checked(rig, written(tmp_path, "# a file more", line, PLAN + OTHERS))
    assert pair.missing["files"] == f"those outside {{scratch}}, in {tmp_path}"


def test_connections_past_the_engine_are_said(tmp_path: Path, rig: Rig) -> None:
    raw = "engine.raw_connection().close()"
    outside = f"sqlite3.connect({str(tmp_path / 'x.db')!r}).execute('PRAGMA user_version = 1')"
    pair = checked(rig, written(tmp_path, "# a COMMIT more", f"{raw}; {outside}"))
    past = "those of connections to SQLite past SQLAlchemy"
    assert pair.missing["SQL"] == f"{past}; {past} and those of raw connections"
    assert pair.missing["final database"] == f"those outside {{scratch}}, in {tmp_path}"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_connections_elsewhere_are_said(tmp_path: Path, rig: Rig, loop: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        port = elsewhere.getsockname()[1]
        planted = {
            "asyncio": f"socket.create_connection(('127.0.0.1', {port})).close()",
            "uvloop": f"KEPT.append(await asyncio.open_connection('127.0.0.1', {port}))",
        }[loop]
        lifespan = f"""
import asyncio
import socket
KEPT = []


@asynccontextmanager
async def lifespan(_):
    {planted}
    yield


app = FastAPI(lifespan=lifespan)
"""
        pair = checked(rig, written(tmp_path, "app = FastAPI()", lifespan, PLAN + OTHERS))
    assert pair.missing["upstream requests"] == f"those to 127.0.0.1:{port} are not counted"


def test_files_written_at_import_count(tmp_path: Path, rig: Rig) -> None:
    line = f"open({str(tmp_path / 'log')!r}, 'w').close()\nTOKEN = "
    pair = checked(rig, written(tmp_path, "TOKEN = ", line, PLAN + OTHERS))
    assert pair.missing["files"] == f"those outside {{scratch}}, in {tmp_path}"


def test_a_database_in_memory_is_served(tmp_path: Path, rig: Rig) -> None:
    planted = """
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
    plan_file = written(tmp_path, "", "", PLAN + OTHERS)
    old = APP[APP.index('@app.get("/words")') : APP.index('@app.get("/fetch")')]
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(APP.replace(old, planted))
    assert "in memory" in checked(rig, plan_file).missing["final database"]


def test_an_observer_that_fails_does_not_fail_the_app(tmp_path: Path, rig: Rig) -> None:
    planted = """
class Odd(str):
    def __repr__(self):
        raise TypeError


sqlite3.register_adapter(Odd, str)
app = FastAPI()
"""
    plan_file = written(tmp_path, "", "")
    for name in ("one", "two"):
        text = APP.replace("\napp = FastAPI()\n", planted).replace('name="one"', 'name=Odd("one")')
        (tmp_path / f"{name}.py").write_text(text)
    assert checked(rig, plan_file).missing["SQL"] == "the observer failed: TypeError"


@pytest.mark.parametrize(
    "started",
    [
        "threading.Thread(target=finish).start()",
        "LOOPS[0].call_soon_threadsafe(lambda: LOOPS[0].create_task(asyncio.to_thread(finish)))",
    ],
)
def test_work_after_the_answer_counts(
    tmp_path: Path, rig: Rig, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinbench.measure.server.QUIET_S", LONG_S)
    monkeypatch.setattr("twinbench.measure.server.LASTING_S", LONG_S)
    plan_file = written(tmp_path, "tasks.add_task(finish)", started)
    lifespan = """
import asyncio
import threading
LOOPS = []


@asynccontextmanager
async def lifespan(_):
    LOOPS.append(asyncio.get_running_loop())
    yield


app = FastAPI(lifespan=lifespan)
"""
    two = (tmp_path / "two.py").read_text()
    (tmp_path / "two.py").write_text(two.replace("app = FastAPI()", lifespan))
    checked(rig, plan_file)


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
    assert "-rows: id=9, name='finished'\n+rows: id=9, name='Finished'\n" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_what_changes_from_start_to_start_is_learned(tmp_path: Path, rig: Rig) -> None:
    plan = PLAN + CHANGING + CHANGING.replace('name = "uploads"', 'name = "again"')
    pair = checked(rig, written(tmp_path, "", "", plan))
    # One token for both scenarios: what comes before is the same.
    assert pair.requests == 3 * 4 + 1 + 3 * 2
    assert set(pair.missing) == {"SQL", "commits"}
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
            "uploads': before: GET /token (setup[0]): bytes of 'two' differ in structure",
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
        '[[scenarios]]\nname = "get"\nclosed = [1]\nrequests = [{ path = "/" }]\n'
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
