"""Commands as a user types them, with real servers and load."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import (
    BEHAVING,
    LONG_S,
    command,
    marked_environment,
    none_left,
    twinbench,
)
from twinbench.text import MAX_CHARACTERS

TINY = f"""
name = "tiny"
blocks = 1
warmup_s = 0.1
measure_s = 0.3
collapse_s = 20.0

[[targets]]
name = "one"
command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "ok"]

[[targets]]
name = "two"
command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "wait"]

[[scenarios]]
name = "get"
requests = [{{ path = "/" }}]
closed = [1, 8]
open = [50]
"""
CELLS = 6
# CPU time after which the process imports: Python itself starts in a tenth of it.
STARTED_CPU_S = 0.3


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def cells_kept(folder: Path) -> int:
    return len(list(folder.glob("reports/runs/*/cells/*/cell.json")))


def wait_for_cells(folder: Path, count: int, process: subprocess.Popen[Any]) -> None:
    """Wait until `count` cells are kept or the run has ended."""
    while cells_kept(folder) < count and process.poll() is None:
        time.sleep(0.02)


def test_run_prints_the_path_of_its_report_last(plan: Path, tmp_path: Path) -> None:
    mark = f"run-{os.getpid()}"
    done = twinbench("run", "tiny.toml", cwd=tmp_path, mark=mark)
    assert (done.returncode, done.stderr) == (0, "")
    # A remark precedes it if the machine is busy.
    *_, last = lines = done.stdout.splitlines()
    assert (
        "two against one: 3 requests: status, headers, bytes, environment: equal."
        " Not compared: OpenAPI (neither serves /openapi.json); SQL, commits, final database,"
        " upstream requests, files, settings ('one' is a command, which cannot be asked)"
    ) in lines
    page = tmp_path / last
    assert page.name == "report.html"
    assert page.is_file()
    assert (tmp_path / "reports" / "latest").resolve() == page.parent.resolve()
    assert cells_kept(tmp_path) == CELLS
    [pair] = json.loads((page.parent / "manifest.json").read_text())["preflight"]
    assert (pair["candidate"], pair["scenarios"], pair["requests"]) == ("two", ["get"], 3)
    results = json.loads((page.parent / "results.json").read_text())
    assert {cell["status"] for cell in results["cells"]} <= {"valid", "invalid"}
    assert "two / one" in page.read_text()
    assert none_left(mark)

    # The same report from disk.
    page.unlink()
    again = twinbench("report", cwd=tmp_path)
    assert again.returncode == 0
    assert page.is_file()


@pytest.mark.smoke
def test_killed_run_resumes_without_measuring_twice(plan: Path, tmp_path: Path) -> None:
    mark = f"kill-{os.getpid()}"
    process = subprocess.Popen(
        command("run", "tiny.toml"),
        cwd=tmp_path,
        env=marked_environment(mark),
        stdout=subprocess.DEVNULL,
    )
    wait_for_cells(tmp_path, 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert none_left(mark)
    kept = {path: path.read_bytes() for path in tmp_path.glob("reports/runs/*/cells/*/cell.json")}
    assert 2 <= len(kept) < CELLS

    done = twinbench("run", "tiny.toml", "--resume", cwd=tmp_path, mark=mark)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.splitlines()[-1]).name == "report.html"
    assert (tmp_path / done.stdout.splitlines()[-1]).is_file()
    assert cells_kept(tmp_path) == CELLS
    assert len(list(tmp_path.glob("reports/runs/*"))) == 1
    assert all(path.read_bytes() == was for path, was in kept.items())
    nothing = twinbench("run", "tiny.toml", "--resume", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "there is no unfinished run of plan 'tiny'" in nothing.stderr


def test_terminated_run_prints_how_to_resume(plan: Path, tmp_path: Path) -> None:
    """As an interrupted one: test_interrupted.py."""
    mark = f"interrupt-{os.getpid()}"
    process = subprocess.Popen(
        command("run", "tiny.toml", self_check=False),
        cwd=tmp_path,
        env=marked_environment(mark),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_cells(tmp_path, 2, process)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, stderr
    assert f"of {CELLS} measurements are kept" in stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert none_left(mark)
    assert cells_kept(tmp_path) >= 2


def test_ctrl_c_during_imports_prints_no_traceback(plan: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("run", "tiny.toml"), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    # By CPU time, as a busy machine gives it slowly.
    while sum(psutil.Process(process.pid).cpu_times()[:2]) < STARTED_CPU_S:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr


def test_second_run_at_once_is_refused(plan: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("run", "tiny.toml", self_check=False),
        cwd=tmp_path,
        env=marked_environment(""),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_cells(tmp_path, 1, process)
        process.send_signal(signal.SIGSTOP)  # or it ends before the second has started
        second = twinbench("check", "tiny.toml", cwd=tmp_path)
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        process.wait()
    assert second.returncode == 2
    assert (
        f"another twinbench is measuring on this machine (process {process.pid})" in second.stderr
    )


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("measure_s", "mesure_s", 2, "unknown key 'mesure_s'; did you mean 'measure_s'?"),
        ("[1, 8]", "[0]", 2, "scenarios[0].closed[0]"),
        (
            'path = "/"',
            'path = "/", headers = { "X: y\\r\\nZ" = "1" }',
            2,
            r".headers.'X: y\r\nZ': a header",
        ),
        (
            "blocks = 1",
            "blocks = 1e9",
            2,
            "blocks: Input should be a valid integer, written without",
        ),
        ('"ok"]', '"error"]\n', 3, "was answered with 500, the plan expects 200"),
        ('"ok"]', '"die", "1"]\n', 3, "out of luck"),
        ('"ok"]', '"garbage"]\n', 3, "no HTTP answer"),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(
    plan: Path, tmp_path: Path, old: str, new: str, code: int, message: str
) -> None:
    mark = f"bad-{os.getpid()}"
    plan.write_text(TINY.replace(old, new, 1))
    refused = twinbench("run", "tiny.toml", cwd=tmp_path, mark=mark)
    assert refused.returncode == code
    assert message in refused.stderr
    assert "tiny.toml" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert len(refused.stderr) <= MAX_CHARACTERS + 1
    assert none_left(mark)
    assert cells_kept(tmp_path) == 0


@pytest.mark.parametrize(
    ("behaviour", "limit", "message"),
    [
        ("silent", "ready_s = 1", "targets[0]: 'one' could not be started: it was not ready"),
        # Refused from half of collapse_s on; from ten times as much there is no response.
        ("slow", "collapse_s = 1.0", "set collapse_s ="),
    ],
)
def test_server_that_is_too_slow_is_refused(
    plan: Path, tmp_path: Path, behaviour: str, limit: str, message: str
) -> None:
    text = TINY.replace("collapse_s = 20.0", limit)
    plan.write_text(text.replace('"ok"]', f'"{behaviour}"]', 1))
    refused = twinbench("check", "tiny.toml", cwd=tmp_path)
    assert refused.returncode == 3
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_missing_module_is_a_plan_error(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        'name = "p"\n[[targets]]\nname = "x"\napp = "nowhere.main:app"\n'
        '[[scenarios]]\nuse = "noop"\nclosed = [1]\n'
    )
    refused = twinbench("run", "p.toml", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == (
        "p.toml: targets[0].app = 'nowhere.main:app': 'x' could not be started:"
        " there is no module 'nowhere'\n"
    )


@pytest.mark.parametrize(
    "args", [["run", "none.toml"], ["report", "nowhere"], ["report"], ["run", "--nope"], ["walk"]]
)
def test_usage_error_exits_with_2_without_traceback(tmp_path: Path, args: list[str]) -> None:
    refused = twinbench(*args, cwd=tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert refused.stderr


def test_dying_target_loses_only_its_own_measurements(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY.replace('"ok"]', '"die", "40"]', 1))
    done = twinbench("run", "tiny.toml", cwd=tmp_path, self_check=False)
    assert done.returncode == 1
    assert "measurements were lost" in done.stderr
    assert "out of luck" in done.stderr
    assert cells_kept(tmp_path) == CELLS
    assert (tmp_path / "reports/latest/report.html").is_file()


def test_check_measures_nothing(plan: Path, tmp_path: Path) -> None:
    done = twinbench("check", "tiny.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "two against one: 3 requests: status, headers, bytes, environment: equal." in done.stdout
    assert cells_kept(tmp_path) == 0
