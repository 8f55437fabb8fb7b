"""Commands as a user types them, with real servers and load."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.faults import TINY, TINY_CELLS, kept, number_kept, start_run, wait_until_kept
from tests.support.processes import none_left, twinbench
from twinbench.text import MAX_CHARACTERS


@pytest.fixture(autouse=True)
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def behaving(*behaviour: str) -> str:
    """Return the plan whose first target behaves so."""
    return TINY.replace('"wait"', ", ".join(f'"{word}"' for word in behaviour), 1)


def test_run_prints_the_path_of_its_report_last(plan: Path, tmp_path: Path) -> None:
    mark = f"run-{os.getpid()}"
    plan.write_text(f"{TINY}open = [50]\n")
    done = twinbench("run", "tiny.toml", cwd=tmp_path, mark=mark)
    assert (done.returncode, done.stderr) == (0, "")
    # A remark precedes it if the machine is busy.
    *_, last = lines = done.stdout.splitlines()
    assert (
        "two against one: 3 requests: status, headers, bytes, environment: equal."
        " Not compared: OpenAPI (neither serves /openapi.json); SQL, commits, final database,"
        " upstream requests, files, settings ('one' is a command, which cannot be observed)"
    ) in lines
    page = tmp_path / last
    assert page.name == "report.html"
    assert (tmp_path / "reports" / "latest").resolve() == page.parent.resolve()
    assert number_kept(tmp_path) == TINY_CELLS + 2
    [pair] = json.loads((page.parent / "manifest.json").read_text())["preflight"]
    assert (pair["candidate"], pair["scenarios"], pair["requests"]) == ("two", ["get"], 3)
    results = json.loads((page.parent / "results.json").read_text())
    assert {cell["status"] for cell in results["cells"]} <= {"valid", "invalid"}
    assert "two / one" in page.read_text()
    assert none_left(mark)

    page.unlink()
    again = twinbench("report", cwd=tmp_path)
    assert again.returncode == 0
    assert page.is_file()


@pytest.mark.smoke
def test_killed_run_resumes_without_measuring_twice(tmp_path: Path) -> None:
    process = start_run(tmp_path, mark := f"kill-{os.getpid()}")
    wait_until_kept(tmp_path, 2, process)
    process.kill()
    process.communicate()
    assert none_left(mark)
    first = kept(tmp_path)
    assert 2 <= number_kept(tmp_path) < TINY_CELLS

    done = twinbench("run", "tiny.toml", "--resume", cwd=tmp_path, mark=mark)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.splitlines()[-1]).is_file()
    assert number_kept(tmp_path) == TINY_CELLS
    assert len(list(tmp_path.glob("reports/runs/*"))) == 1
    assert first.items() <= kept(tmp_path).items()
    nothing = twinbench("run", "tiny.toml", "--resume", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "there is no unfinished run of plan 'tiny'" in nothing.stderr


def test_second_run_at_once_is_refused(tmp_path: Path) -> None:
    process = start_run(tmp_path, "")
    try:
        wait_until_kept(tmp_path, 1, process)
        process.send_signal(signal.SIGSTOP)  # or it ends before the second has started
        second = twinbench("check", "tiny.toml", cwd=tmp_path)
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert second.returncode == 2
    assert f"is measuring on this machine (process {process.pid})" in second.stderr


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (
            TINY.replace("measure_s", "mesure_s"),
            2,
            "unknown key 'mesure_s'; did you mean 'measure_s'?",
        ),
        (
            'name = "p"\n[[targets]]\nname = "x"\napp = "nowhere.main:app"\n'
            '[[scenarios]]\nuse = "noop"\nclosed = [1]\n',
            2,
            "targets[0].app = 'nowhere.main:app': 'x' could not be started: there is no module",
        ),
        (behaving("error"), 3, "was answered with 500, the plan expects 200"),
        (behaving("die", "1"), 3, "out of luck"),
        (behaving("garbage"), 3, "no HTTP response"),
        (
            f"ready_s = 1\n{behaving('silent')}",
            3,
            "targets[0]: 'one' could not be started: it was not ready",
        ),
        # Refused from half of collapse_s on; from ten times as much there is no response.
        (behaving("slow").replace("collapse_s = 20.0", "collapse_s = 1.0"), 3, "set collapse_s ="),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(
    plan: Path, tmp_path: Path, text: str, code: int, message: str
) -> None:
    mark = f"bad-{os.getpid()}"
    plan.write_text(text)
    refused = twinbench("run", "tiny.toml", cwd=tmp_path, mark=mark)
    assert refused.returncode == code
    assert message in refused.stderr
    assert "tiny.toml" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert len(refused.stderr) <= MAX_CHARACTERS + 1
    assert none_left(mark)
    assert number_kept(tmp_path) == 0


@pytest.mark.parametrize(
    "args", [["run", "none.toml"], ["report", "nowhere"], ["report"], ["run", "--nope"], ["walk"]]
)
def test_usage_error_exits_with_2_without_traceback(tmp_path: Path, args: list[str]) -> None:
    refused = twinbench(*args, cwd=tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert refused.stderr


def test_dying_target_loses_only_its_own_measurements(plan: Path, tmp_path: Path) -> None:
    plan.write_text(behaving("die", "40"))
    done = twinbench("run", "tiny.toml", cwd=tmp_path, self_check=False)
    assert done.returncode == 1
    assert "measurements were lost" in done.stderr
    assert "out of luck" in done.stderr
    assert number_kept(tmp_path) == TINY_CELLS
    assert (tmp_path / "reports/latest/report.html").is_file()
