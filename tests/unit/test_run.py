"""Machine lock of a run, shared by all users of the machine."""

import os
import stat
from pathlib import Path

import pytest

from twinbench import run
from twinbench.run import machine_lock
from twinbench.store import StoreError


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of a lock that is used by this test only; no signal handlers, pytest has its own."""
    monkeypatch.setattr(run, "defer_signals", lambda: None)
    monkeypatch.setenv("TWINBENCH_LOCK", str(tmp_path / "lock"))
    return tmp_path / "lock"


def test_lock_file_can_be_opened_by_other_users(lock: Path) -> None:
    before = os.umask(0o077)
    try:
        with machine_lock():
            assert stat.S_IMODE(lock.stat().st_mode) == 0o666
    finally:
        os.umask(before)


def test_lock_refuses_a_second_holder_by_process_id(lock: Path) -> None:
    for _ in range(2):
        with machine_lock():
            with pytest.raises(StoreError, match=rf"\(process {os.getpid()}\)"), machine_lock():
                pass
            assert lock.read_text() == str(os.getpid())


def test_lock_that_is_a_link_is_not_followed(lock: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("kept")
    lock.symlink_to(other)
    with pytest.raises(StoreError, match="cannot be opened"), machine_lock():
        pass
    assert other.read_text() == "kept"


def test_lock_does_not_depend_on_the_temporary_folder() -> None:
    assert Path("/tmp/twinbench.lock") == run.LOCK  # noqa: S108
