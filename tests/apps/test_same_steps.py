"""For equal requests both apps run the same steps of the code that they share.

Each app is imported anew, as a server imports it: import and startup are compared too, and the
second app finds nothing that the first one cached. `recording.py` defines a step.
"""

import asyncio
import importlib
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi.testclient import TestClient

from apps.shared import images, models, security
from tests.apps.conftest import BLOG, ENVIRONMENT, FOLDER
from tests.apps.recording import Step, recording
from tests.apps.requests import REQUESTS, Case
from tests.apps.serving import clear_data
from tests.apps.test_same_work import fix_clock_and_random
from twinbench.measure.postgres import Databases
from twinbench.paths import ROOT

# A busy machine may make them slow.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Beginnings of steps that may differ, and why.
EXCEPTIONS = {
    "offload.py ": "only the async app uses it",
    "dialects.py database_url has ": "its arguments are the driver and the app",
    "settings.py Settings.url has ": "its arguments are the driver and the app",
    "settings.py Settings.media_folder has ": "its argument is the app",
}


# Steps by request.
Run = list[tuple[str, Counter[Step]]]


@contextmanager
def imported(root: Path, name: str, url: str = "") -> Iterator[Any]:
    """Import the app `name` in `root` anew, to use `url`; restore the modules afterwards."""
    before = _pop_modules()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(root)
            for variable, value in ENVIRONMENT.items():
                patch.setenv(variable, value)
            if url:
                patch.setenv("BLOG_DATABASE_URL", url)
            yield importlib.import_module(f"apps.{name}_app.main")
    finally:
        _pop_modules()
        sys.modules.update(before)


def _pop_modules() -> dict[str, Any]:
    names = [name for name in sys.modules if name.partition(".")[0] == "apps"]
    return {name: sys.modules.pop(name) for name in names}


def run(name: str, cases: Sequence[Case], root: Path = ROOT, url: str = "") -> Run:
    """Send `cases` to the app `name` in `root`, on the existing data."""
    steps = []
    with (
        pytest.MonkeyPatch.context() as patch,
        recording(root / "apps" / "shared") as recorder,
        imported(root, name, url) as main,
    ):
        steps.append(("import", recorder.take()))
        # The modules of the app, and those that sign the tokens of the requests.
        own = [sys.modules[f"apps.shared.{part}"] for part in ("models", "security", "images")]
        fix_clock_and_random(patch, models, security, images)
        fix_clock_and_random(patch, *own)()
        recorder.take()
        with TestClient(main.app, raise_server_exceptions=False) as client:
            steps.append(("startup", recorder.take()))
            for case in cases:
                assert case.send(client).status_code == case.status, case
                steps.append((f"{case.method} {case.path}", recorder.take()))
        steps.append(("shutdown", recorder.take()))
    return steps


class Difference(NamedTuple):
    """A step that the apps ran a different number of times for one request."""

    request: str
    step: Step
    sync_count: int
    async_count: int

    @property
    def exceptions(self) -> set[str]:
        step = f"{self.step.file} {self.step.what}"
        return {beginning for beginning in EXCEPTIONS if step.startswith(beginning)}


def differences(runs: dict[str, Run]) -> list[Difference]:
    return [
        Difference(request, step, one[step], other[step])
        for (request, one), (_, other) in zip(runs["sync"], runs["async"], strict=True)
        for step in sorted(one.keys() | other.keys())
        if one[step] != other[step]
    ]


@pytest.fixture(scope="module")
def both() -> dict[str, Run]:
    runs = {}
    for name in ("sync", "async"):
        clear_data()
        runs[name] = run(name, REQUESTS)
    return runs


def test_both_apps_run_the_same_steps(both: dict[str, Run]) -> None:
    assert [found for found in differences(both) if not found.exceptions] == []
    assert set().union(*(found.exceptions for found in differences(both))) == EXCEPTIONS.keys()


@pytest.mark.postgres
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_both_apps_run_the_same_steps_on_postgres(databases: Databases, driver: str) -> None:
    runs = {}
    for name, used in (("sync", "psycopg"), ("async", driver)):
        url = databases.with_database(BLOG, empty=True).env["URL"].replace("://", f"+{used}://")
        clear_data()
        runs[name] = run(name, REQUESTS, url=url)
    found = [found for found in differences(runs) if not found.exceptions]
    # The URL names the driver, and at import the sync app refuses asyncpg.
    by_driver = ("postgresql+", "Settings.url runs")
    assert [step for _, step, *_ in found if not any(name in step.what for name in by_driver)] == []


def test_every_shared_file_is_recorded(both: dict[str, Run]) -> None:
    files = {path.name for path in (ROOT / "apps" / "shared").glob("*.py")}
    for found in both.values():
        assert {step.file for _, steps in found for step in steps} >= files - {"offload.py"}


class Drift(NamedTuple):
    """Code planted in a shared file before the first line that begins with `line`."""

    file: str
    line: str
    code: str


# Ways in which shared code could detect its app.
CLIENT = 'hasattr(request.state.upstream, "aclose")'
ENDPOINT = '__import__("inspect").iscoroutinefunction(request.scope["endpoint"])'
CALLER = '__import__("sys")._getframe(1).f_code.co_flags & 0x80'
STACK = '"run_forever" in [f.name for f in __import__("traceback").extract_stack()]'
THREAD = '"worker thread" in __import__("threading").current_thread().name'
CACHED = f"""\
kept = digest.__dict__.setdefault("kept", {{}})
if n in kept: return kept[n]
kept[n if {STACK} else object()] = 0"""
ASYNC = 'hasattr(connection, "run_async")'
CLOSE = ("sqlite.py", "cursor.close()")
PRAGMA = 'cursor.execute("PRAGMA cache_size = 0")'
TRACE = "set_trace_callback"
THUMBNAIL = ("cpu_work.py", "return make_profile")
VERIFY = ("cpu_work.py", "return verify_password(DEMO")
ERROR = ("rendering.py", "if request")
DRIFTS = {
    "trace_callback": Drift(*CLOSE, f'if hasattr(connection, "{TRACE}"): connection.{TRACE}(str)'),
    "callback_without_a_branch": Drift(*CLOSE, f'getattr(connection, "{TRACE}", bool)(str)'),
    "progress_handler": Drift(*CLOSE, f"{ASYNC} or connection.set_progress_handler(bool, 1_000)"),
    "pragma": Drift(*CLOSE, f"{PRAGMA} if {ASYNC} else None"),
    "client": Drift(*ERROR, f"code = int(code) if {CLIENT} else code"),
    "endpoint": Drift(*ERROR, f"if {ENDPOINT}: code += 0"),
    "caller": Drift("statements.py", "return", f"{CALLER} and range(9)"),
    "stack": Drift(*THUMBNAIL, f"for _ in range({STACK}): pass"),
    "thread": Drift(*THUMBNAIL, f"{{0: abs, 1: bin}}[{THREAD}](1)"),
    "dialect": Drift("models.py", "return value and value.replace", "dialect.is_async and bool()"),
    "value_without_a_branch": Drift(*VERIFY, f"quality = 85 - bool({CALLER}); return quality > 0"),
    "cached_result": Drift("cpu_work.py", "value = 1", CACHED),
}
CASES = [
    Case("GET", "/api/posts/7", 200),
    *[Case("GET", "/workload/compute?n=2", 200)] * 2,
    Case("GET", "/workload/fetch?ms=1", 502),
    *(Case("GET", f"/workload/{name}", 200) for name in ("hash", "thumbnail")),
]


def plant(shared: Path, drift: Drift) -> None:
    path = shared / drift.file
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(n for n, line in enumerate(lines) if line.strip().startswith(drift.line))
    indent = lines[at].removesuffix(lines[at].lstrip())
    lines[at:at] = [indent + line for line in drift.code.splitlines()]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> tuple[Path, set[Any]]:
    """Return a copy of the shared code with all drifts, and file and line of each difference."""
    root = tmp_path_factory.mktemp("drifted")
    shutil.copytree(ROOT / "apps", root / "apps")
    shared = root / "apps" / "shared"
    for drift in DRIFTS.values():
        plant(shared, drift)
    runs = {}
    for name in ("sync", "async"):
        clear_data()
        shutil.copytree(seeded, FOLDER.name, dirs_exist_ok=True)
        runs[name] = run(name, CASES, root)
    return shared, {(found.step.file, found.step.line) for found in differences(runs)}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_drift_is_found(drift: Drift, drifted: tuple[Path, set[Any]]) -> None:
    shared, found = drifted
    planted = drift.code.splitlines()
    lines = (shared / drift.file).read_text(encoding="utf-8").splitlines()
    assert any(
        (drift.file, number) in found
        for number, line in enumerate(lines, 1)
        if line.strip() in planted
    )


EXAMPLE = """
import asyncio, sys, threading

def chosen(yes):
    return abs(1) if yes else bin(1)

async def waits():
    await pause()
    return 1
"""


def example_steps(folder: Path, call: str, **names: Any) -> Counter[Step]:
    """Return the steps of EXAMPLE while `call` is executed."""
    path = folder / "example.py"
    path.write_text(EXAMPLE, encoding="utf-8")
    exec(compile(EXAMPLE, path, "exec"), names)  # noqa: S102
    with recording(folder) as recorder:
        exec(call, names)  # noqa: S102
    return recorder.take()


def test_choice_on_one_line_is_recorded(tmp_path: Path) -> None:
    yes = example_steps(tmp_path, "chosen(1)")
    no = example_steps(tmp_path, "chosen(0)")
    assert {step.line for step in yes} == {step.line for step in no} == {5}
    assert "chosen calls abs" in {step.what for step in yes - no}
    assert "chosen calls bin" in {step.what for step in no - yes}


def test_every_thread_is_recorded(tmp_path: Path) -> None:
    thread = "(t := threading.Thread(target=chosen, args=(1,))).start() or t.join()"
    assert example_steps(tmp_path, thread) == example_steps(tmp_path, "chosen(1)")


def test_number_of_waits_is_not_recorded(tmp_path: Path) -> None:
    async def pauses(times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    one, other = (
        example_steps(tmp_path, "asyncio.run(waits())", pause=partial(pauses, times))
        for times in (1, 3)
    )
    assert one == other != {}
