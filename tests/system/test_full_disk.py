"""Full disk: one sentence says so, finished cells are kept, and --resume continues."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import faults
from tests.support.faults import TINY, TINY_CELLS, kept, number_kept, start_run, wait_until_kept
from tests.support.processes import LONG_S, marked_environment, none_left, twinbench
from twinbench.measure.rig import Rig

FULL = Path("/dev/full")  # every write there fails with ENOSPC


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Mount a disk of 8 MiB; temporary files are elsewhere."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607  # mount was found, too


@pytest.mark.serial
@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize(
    ("processes", "names"), [(1, ["requests", "telemetry"]), (2, ["requests.1", "requests"])]
)
def test_the_generator_survives_unwritable_records(
    tmp_path: Path, processes: int, names: list[str]
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    with Rig(faults.plan("ok", processes=processes), tmp_path) as rig:
        faults.assert_fine(rig, tmp_path)
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        for name in names:
            unwritable = full / f"{name}.parquet"
            unwritable.symlink_to(FULL)
            with pytest.raises(OSError, match="No space left on device"):
                faults.measure(rig, "ok", full)
            unwritable.unlink()
        faults.assert_fine(rig, tmp_path)
        assert {child.pid for child in psutil.Process().children(recursive=True)} == before


def test_a_run_on_a_full_disk_stops_and_is_resumed(small_disk: Path) -> None:
    mark = f"full-{os.getpid()}"
    (small_disk / "tiny.toml").write_text(TINY)
    process = start_run(small_disk, mark)
    wait_until_kept(small_disk, 1, process)
    ballast = small_disk / "ballast"
    fill(ballast)
    _, message = process.communicate(timeout=LONG_S)
    assert process.returncode == 2
    assert message.count("\n") == 1
    assert "cannot be written (No space left on device); what was finished is kept" in message
    assert none_left(mark)
    finished = kept(small_disk)
    assert finished

    refused = twinbench("report", cwd=small_disk)
    assert refused.returncode == 2
    assert refused.stderr.endswith("results.json: No space left on device\n")
    ballast.unlink()
    assert twinbench("report", cwd=small_disk).returncode == 0
    done = twinbench("run", "tiny.toml", "--resume", cwd=small_disk, mark=mark, self_check=False)
    assert (done.returncode, done.stderr) == (0, "")
    now = kept(small_disk)
    assert number_kept(small_disk) == TINY_CELLS
    assert finished.items() <= now.items()
    assert none_left(mark)


def test_a_run_without_room_for_temporary_files_is_refused(small_disk: Path) -> None:
    (small_disk / "tiny.toml").write_text(TINY)
    fill(small_disk / "ballast")
    script = (
        "import sys, tempfile; from pathlib import Path;"
        f"tempfile._candidate_tempdir_list = lambda: [{str(small_disk)!r}];"
        "from twinbench.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "tiny.toml"],
        cwd=small_disk,
        env=marked_environment(""),
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("twinbench: No usable temporary directory found in")
    assert done.stderr.count("\n") == 1


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
