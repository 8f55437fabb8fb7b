"""Readers of /proc on recorded machines (tests/samples), and on what is none."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from twinbench.measure import tree

SAMPLES = Path(__file__).parents[1] / "samples"
SUPERVISOR = 4100
MIB = 2**20

Become = Callable[[str], None]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Read a recorded machine from now on."""

    def read(name: str) -> None:
        monkeypatch.setattr(tree, "PROC", str(SAMPLES / name / "proc"))
        monkeypatch.setattr(tree, "CLOCK_TICKS", 100)
        monkeypatch.setattr(tree, "PAGE_BYTES", 4096)
        monkeypatch.setattr(time, "clock_gettime", no_such_clock)

    return read


def no_such_clock(_: int) -> float:
    raise OSError


@pytest.mark.parametrize("name", ["kernel-5.10", "kernel-6.8"])
def test_processes_are_read_whatever_ends_status(become: Become, name: str) -> None:
    become(name)
    watched = tree.tree(SUPERVISOR)
    assert isinstance(watched, tree.ProcTree)
    # 4101 and the worker that its second thread started; CPU time of the supervisor, too.
    assert watched.use() == (4, 2.54, (25600 + 5120) * 4096 / MIB)


def test_without_lists_of_children_psutil_is_asked(become: Become) -> None:
    become("no-task-children")
    assert isinstance(tree.tree(SUPERVISOR), tree.PsutilTree)


def test_processes_with_broken_files_count_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "PROC", str(tmp_path))
    monkeypatch.setattr(time, "clock_gettime", no_such_clock)
    task = tmp_path / "7" / "task" / "7"
    task.mkdir(parents=True)
    (task / "children").write_text("8 x")
    watched = tree.tree(7)
    for text in ("", "7", "7 (a) S", "7 (a) S 1 2 x", "8 (b) S 1 1 1 0 -1 0 0"):
        (tmp_path / "7" / "stat").write_text(text)
        assert watched.use() == (0, 0.0, 0.0)


def test_time_of_cores_is_read_by_name(become: Become) -> None:
    become("kernel-5.10")
    assert tree.cores_s((1,)) == ((1100 + 10 + 210 + 30) / 100, 0.05)
    assert tree.cores_s((2, 3)) == ((1200 + 220 + 1300 + 230 + 2 * 40) / 100, 0.1)
    assert tree.cores_s(()) == tree.cores_s((64,)) == (None, None)


def test_time_of_cores_of_an_old_kernel_lacks_steal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "PROC", str(tmp_path))
    (tmp_path / "stat").write_text("\ncpu0 100 0 100 900 5 0 0\n")
    assert tree.cores_s((0,)) == (200 / tree.CLOCK_TICKS, None)


# In a process of its own: importing locust changes the whole process.
WAITED = """
import sys
from pathlib import Path
from loadtests import driver
for path in sys.argv[1:]:
    driver.SCHEDSTAT = Path(path)
    print(driver._waited_s())
"""


def test_waiting_of_the_generator_is_read_or_zero(tmp_path: Path) -> None:
    texts = {"whole": "1 5000000000 3", "short": "1", "strange": "a b"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in (*texts, "missing")]
    said = subprocess.check_output([sys.executable, "-c", WAITED, *paths], text=True)
    assert said.split() == ["5.0", "0.0", "0.0", "0.0"]
