"""Guard 7: for equal requests both apps run the same steps of the code that they share.

Each app is imported anew, as a server imports it: the import and the start are compared too, and
the second app finds nothing that the first has remembered. What a step is: `recording.py`.
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
from tests.apps.conftest import FOLDER, OWN
from tests.apps.recording import Step, recording
from tests.apps.requests import REQUESTS, Ask
from tests.apps.serving import clear_data
from tests.apps.test_same_work import hold_still
from twinbench.paths import ROOT

# A busy machine may make it slow; what hangs fails all the same.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# How the steps begin that may differ, and why.
EXCEPTIONS = {
    "offload.py ": "runs work elsewhere; only the async app uses it",
    "settings.py Settings.sqlite_url has ": "is told the driver and the app",
    "settings.py Settings.media_folder has ": "is told the app",
}

Steps = list[tuple[str, Counter[Step]]]


class Ran(NamedTuple):
    """Steps of an app by request, and what it has used to hide from the recording."""

    steps: Steps
    tampered: list[str]


@contextmanager
def imported(root: Path, name: str) -> Iterator[Any]:
    """Import the main module of the app `name` in `root`, as if nothing of it had been."""
    before = _take_modules()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(root)
            for variable, value in OWN.items():
                patch.setenv(variable, value)
            yield importlib.import_module(f"apps.{name}_app.main")
    finally:
        _take_modules()
        sys.modules.update(before)


def _take_modules() -> dict[str, Any]:
    names = [name for name in sys.modules if name.partition(".")[0] == "apps"]
    return {name: sys.modules.pop(name) for name in names}


def run(name: str, requests: Sequence[Ask], root: Path = ROOT) -> Ran:
    """Let the app `name` in `root` answer `requests`, on the data that are there."""
    steps: Steps = []
    with (
        pytest.MonkeyPatch.context() as patch,
        recording(root / "apps" / "shared") as recorder,
        imported(root, name) as main,
    ):
        steps.append(("import", recorder.take()))
        # Their own, and the ones that the requests' tokens are made by.
        shared = [sys.modules[f"apps.shared.{part}"] for part in ("models", "security", "images")]
        hold_still(patch, models, security, images)
        hold_still(patch, *shared)()
        recorder.take()
        with TestClient(main.app, raise_server_exceptions=False) as client:
            steps.append(("start", recorder.take()))
            for ask in requests:
                assert ask.send(client).status_code == ask.status, ask
                steps.append((f"{ask.method} {ask.path}", recorder.take()))
        steps.append(("end", recorder.take()))
    return Ran(steps, recorder.tampered)


class Difference(NamedTuple):
    """A step that the apps have not run equally often, for one request."""

    request: str
    step: Step
    sync_count: int
    async_count: int

    @property
    def exceptions(self) -> set[str]:
        """Which of the exceptions it falls under."""
        step = f"{self.step.file} {self.step.what}"
        return {begin for begin in EXCEPTIONS if step.startswith(begin)}


def differences(ran: dict[str, Ran]) -> list[Difference]:
    return [
        Difference(request, step, one[step], other[step])
        for (request, one), (_, other) in zip(ran["sync"].steps, ran["async"].steps, strict=True)
        for step in sorted(one.keys() | other.keys())
        if one[step] != other[step]
    ]


@pytest.fixture(scope="module")
def both() -> dict[str, Ran]:
    """Steps of each app for every request, on fresh data."""
    ran = {}
    for name in ("sync", "async"):
        clear_data()
        ran[name] = run(name, REQUESTS)
    return ran


def test_both_run_the_same_shared_steps(both: dict[str, Ran]) -> None:
    assert [found for found in differences(both) if not found.exceptions] == []
    assert [ran.tampered for ran in both.values()] == [[], []]


def test_no_exception_is_unused(both: dict[str, Ran]) -> None:
    used = set().union(*(found.exceptions for found in differences(both)))
    assert used == EXCEPTIONS.keys()


def test_every_shared_file_is_run(both: dict[str, Ran]) -> None:
    """Otherwise a recording that sees nothing would pass."""
    files = {path.name for path in (ROOT / "apps" / "shared").glob("*.py")}
    for ran in both.values():
        assert {step.file for _, steps in ran.steps for step in steps} >= files - {"offload.py"}


class Drift(NamedTuple):
    """What is planted in a shared file, before the first line that begins with `line`."""

    file: str
    line: str
    planted: str


# By what shared code could tell in which app it runs.
CLIENT = 'hasattr(request.state.upstream, "aclose")'
ENDPOINT = '__import__("inspect").iscoroutinefunction(request.scope["endpoint"])'
CALLER = '__import__("sys")._getframe(1).f_code.co_flags & 0x80'
STACK = '"run_forever" in [f.name for f in __import__("traceback").extract_stack()]'
THREAD = '"worker thread" in __import__("threading").current_thread().name'
DRIFTS = {
    "trace_callback": Drift(
        "sqlite.py",
        "cursor.close()",
        'if hasattr(connection, "set_trace_callback"): connection.set_trace_callback(str)',
    ),
    "progress_handler": Drift(
        "sqlite.py",
        "cursor.close()",
        'hasattr(connection, "run_async") or connection.set_progress_handler(bool, 1_000)',
    ),
    "a_callback_without_a_branch": Drift(
        "sqlite.py", "cursor.close()", 'getattr(connection, "set_trace_callback", bool)(str)'
    ),
    "pragma": Drift(
        "sqlite.py",
        "cursor.close()",
        'cursor.execute("PRAGMA cache_size = 0") if hasattr(connection, "run_async") else None',
    ),
    "client": Drift("rendering.py", "if request", f"code = int(code) if {CLIENT} else code"),
    "caller": Drift("statements.py", "return", f"{CALLER} and range(9)"),
    "stack": Drift("cpu_work.py", "return make_profile", f"for _ in range({STACK}): pass"),
    "thread": Drift("cpu_work.py", "return make_profile", f"{{0: abs, 1: bin}}[{THREAD}](1)"),
    "dialect": Drift("models.py", "return value and value.replace", "dialect.is_async and bool()"),
    "endpoint": Drift("rendering.py", "if request", f"if {ENDPOINT}: code += 0"),
    "a_value_without_a_branch": Drift(
        "cpu_work.py",
        "return verify_password(DEMO",
        f"quality = 85 - bool({CALLER}); return quality > 0",
    ),
    "results_remembered": Drift(
        "cpu_work.py",
        "value = 1",
        'kept = digest.__dict__.setdefault("kept", {})\n'
        "if n in kept: return kept[n]\n"
        f"kept[n if {STACK} else object()] = 0",
    ),
}
SOME = [
    Ask("GET", "/api/posts/7", 200),
    Ask("GET", "/workload/compute?n=2", 200),
    Ask("GET", "/workload/compute?n=2", 200),
    Ask("GET", "/workload/fetch?ms=1", 502),
    Ask("GET", "/workload/hash", 200),
    Ask("GET", "/workload/thumbnail", 200),
]


def plant(shared: Path, drift: Drift) -> None:
    path = shared / drift.file
    lines = path.read_text(encoding="utf-8").splitlines()
    where = next(n for n, line in enumerate(lines) if line.strip().startswith(drift.line))
    indent = lines[where].removesuffix(lines[where].lstrip())
    lines[where:where] = [indent + line for line in drift.planted.splitlines()]
    path.write_text("\n".join(lines), encoding="utf-8")


def lines_of(drift: Drift, shared: Path) -> set[int]:
    """Where the lines of `drift` have come to stand."""
    lines = (shared / drift.file).read_text(encoding="utf-8").splitlines()
    planted = drift.planted.splitlines()
    return {number for number, line in enumerate(lines, 1) if line.strip() in planted}


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> tuple[Path, set[Any]]:
    """A copy of the shared code with all drifts, and the file and line of each difference."""
    root = tmp_path_factory.mktemp("drifted")
    shutil.copytree(ROOT / "apps", root / "apps")
    shared = root / "apps" / "shared"
    for drift in DRIFTS.values():
        plant(shared, drift)
    ran = {}
    for name in ("sync", "async"):
        clear_data()
        shutil.copytree(seeded, FOLDER.name, dirs_exist_ok=True)
        ran[name] = run(name, SOME, root)
    return shared, {(found.step.file, found.step.line) for found in differences(ran)}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_a_drift_is_caught(drift: Drift, drifted: tuple[Path, set[Any]]) -> None:
    shared, found = drifted
    assert found & {(drift.file, line) for line in lines_of(drift, shared)}


TINY = """
import asyncio, sys, threading

def chosen(yes):
    return abs(1) if yes else bin(1)

def hides():
    hide()
    return 1

async def waits():
    await pause()
    return 1
"""


def tiny_steps(folder: Path, *calls: str, **names: Any) -> tuple[Counter[Step], list[str]]:
    """What runs of the code above while each of `calls` is evaluated, and who has tampered."""
    path = folder / "tiny.py"
    path.write_text(TINY, encoding="utf-8")
    exec(compile(TINY, path, "exec"), names)  # noqa: S102
    with recording(folder) as recorder:
        for call in calls:
            eval(call, names)  # noqa: S307
    return recorder.take(), recorder.tampered


def test_a_choice_on_one_line_is_recorded(tmp_path: Path) -> None:
    yes, _ = tiny_steps(tmp_path, "chosen(1)")
    no, _ = tiny_steps(tmp_path, "chosen(0)")
    assert {step.line for step in yes} == {step.line for step in no} == {5}
    assert "chosen calls abs" in {step.what for step in yes - no}
    assert "chosen calls bin" in {step.what for step in no - yes}


def test_every_thread_is_recorded(tmp_path: Path) -> None:
    here, _ = tiny_steps(tmp_path, "chosen(1)")
    thread = "(t := threading.Thread(target=chosen, args=(1,))).start() or t.join()"
    there, tampered = tiny_steps(tmp_path, thread)
    assert there == here
    assert tampered == []


def test_how_often_a_coroutine_waits_is_not_recorded(tmp_path: Path) -> None:
    """That is what an async app does otherwise."""

    async def pauses(times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    one, other = (
        tiny_steps(tmp_path, "asyncio.run(waits())", pause=partial(pauses, times))[0]
        for times in (1, 3)
    )
    assert one == other != {}


@pytest.mark.parametrize("module", ["sys", "threading"])
@pytest.mark.parametrize("setter", ["settrace", "setprofile"])
def test_a_replaced_trace_function_is_told(module: str, setter: str, tmp_path: Path) -> None:
    steps, tampered = tiny_steps(tmp_path, f"{module}.{setter}(None)", "chosen(1)")
    assert tampered == [f"{module}.{setter}"]
    assert steps == tiny_steps(tmp_path, "chosen(1)")[0]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="nothing is recorded by frames there")
@pytest.mark.parametrize(("attribute", "off"), [("f_trace", None), ("f_trace_opcodes", False)])
def test_a_frame_that_hides_is_told(attribute: str, off: object, tmp_path: Path) -> None:
    def hide() -> None:
        setattr(sys._getframe(1), attribute, off)

    _, tampered = tiny_steps(tmp_path, "hides()", hide=hide)
    assert tampered == [attribute]
