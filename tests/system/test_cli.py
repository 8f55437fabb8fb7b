"""Commands as a user types them, with real servers and load."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.faults import TINY, TINY_CELLS, kept, number_kept, start_run, wait_until_kept
from tests.support.processes import none_left, twinbench
from twinbench.text import MAX_CHARACTERS

ONE = next(line.strip() for line in TINY.splitlines() if '"one"' in line)
MISSING_APP = '{ name = "one", app = "nowhere.main:app" },'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


def test_run_prints_the_path_of_its_report_last(folder: Path) -> None:
    mark = f"run-{os.getpid()}"
    done = twinbench("run", "tiny.toml", cwd=folder, mark=mark)
    assert (done.returncode, done.stderr) == (0, "")
    assert "two against one: 3 requests: status, headers, bytes, environment: equal." in done.stdout
    page = folder / done.stdout.splitlines()[-1]
    assert page.name == "report.html"
    assert (folder / "reports" / "latest").resolve() == page.parent.resolve()
    assert number_kept(folder) == TINY_CELLS
    [pair] = json.loads((page.parent / "manifest.json").read_text())["preflight"]
    assert (pair["candidate"], pair["scenarios"], pair["requests"]) == ("two", ["get"], 3)
    results = json.loads((page.parent / "results.json").read_text())
    assert {cell["status"] for cell in results["cells"]} <= {"valid", "invalid"}
    assert "two / one" in page.read_text()
    index = (folder / "reports" / "index.html").read_text()
    assert f'href="runs/{page.parent.name}/report.html"' in index
    assert none_left(mark)

    # The same report from disk.
    page.unlink()
    again = twinbench("report", cwd=folder)
    assert again.returncode == 0
    assert page.is_file()


@pytest.mark.smoke
def test_killed_run_resumes_without_measuring_twice(folder: Path) -> None:
    mark = f"kill-{os.getpid()}"
    process = start_run(folder, mark)
    wait_until_kept(folder, 2, process)
    process.kill()
    process.communicate()
    assert none_left(mark)
    before = kept(folder)
    assert 2 <= number_kept(folder) < TINY_CELLS

    done = twinbench("run", "tiny.toml", "--resume", cwd=folder, mark=mark, self_check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / done.stdout.splitlines()[-1]).name == "report.html"
    assert number_kept(folder) == TINY_CELLS
    assert len(list(folder.glob("reports/runs/*"))) == 1
    assert before.items() <= kept(folder).items()
    nothing = twinbench("run", "tiny.toml", "--resume", cwd=folder)
    assert nothing.returncode == 2
    assert "there is no unfinished run of plan 'tiny'" in nothing.stderr


def test_second_run_at_once_is_refused(folder: Path) -> None:
    process = start_run(folder, "")
    try:
        wait_until_kept(folder, 1, process)
        process.send_signal(signal.SIGSTOP)  # or it ends before the second has started
        second = twinbench("check", "tiny.toml", cwd=folder)
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert second.returncode == 2
    assert (
        f"another twinbench is measuring on this machine (process {process.pid})" in second.stderr
    )


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"measure_s": "mesure_s"}, 2, "unknown key 'mesure_s'; did you mean 'measure_s'?"),
        ({"[1, 8]": "[0]"}, 2, "scenarios[0].closed[0]"),
        (
            {'path = "/"': 'path = "/", headers = { "X: y\\r\\nZ" = "1" }'},
            2,
            r".headers.'X: y\r\nZ': a header",
        ),
        (
            {"blocks = 1": "blocks = 1e9"},
            2,
            "blocks: Input should be a valid integer, written without",
        ),
        (
            {ONE: MISSING_APP},
            2,
            "tiny.toml: targets[0]: 'one' (app = 'nowhere.main:app') could not be started:"
            " there is no module 'nowhere'\n",
        ),
        ({'"wait"]': '"error"]'}, 3, "was answered with 500, the plan expects 200"),
        ({'"wait"]': '"die", "1"]'}, 3, "out of luck"),
        ({'"wait"]': '"garbage"]'}, 3, "no HTTP response"),
        (
            {'"wait"]': '"silent"]', "collapse_s = 20.0": "ready_s = 1"},
            3,
            "targets[0]: 'one' could not be started: it was not ready",
        ),
        # Refused from half of collapse_s on; from ten times as much there is no response.
        (
            {'"wait"]': '"slow"]', "collapse_s = 20.0": "collapse_s = 1.0"},
            3,
            "set collapse_s =",
        ),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(
    folder: Path, changes: dict[str, str], code: int, message: str
) -> None:
    text = TINY
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "tiny.toml").write_text(text)
    mark = f"bad-{os.getpid()}"
    refused = twinbench("run", "tiny.toml", cwd=folder, mark=mark)
    assert refused.returncode == code
    assert message in refused.stderr
    assert "tiny.toml" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert len(refused.stderr) <= MAX_CHARACTERS + 1
    assert none_left(mark)
    assert number_kept(folder) == 0


@pytest.mark.parametrize(
    "args", [["run", "none.toml"], ["report", "nowhere"], ["report"], ["run", "--nope"], ["walk"]]
)
def test_usage_error_exits_with_2_without_traceback(tmp_path: Path, args: list[str]) -> None:
    refused = twinbench(*args, cwd=tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert refused.stderr


def test_dying_target_loses_only_its_own_measurements(folder: Path) -> None:
    (folder / "tiny.toml").write_text(TINY.replace('"wait"]', '"die", "40"]', 1))
    done = twinbench("run", "tiny.toml", cwd=folder, self_check=False)
    assert done.returncode == 1
    assert "measurements were lost" in done.stderr
    assert "out of luck" in done.stderr
    assert number_kept(folder) == TINY_CELLS
    assert (folder / "reports/latest/report.html").is_file()
