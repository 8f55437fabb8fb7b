"""Scratch folders: what a killed process has left is removed."""

import ctypes
from pathlib import Path

import pytest

from twinbench.scratch import IPC_RMID, SHARED_MEMORY, remove_shared_memory

IPC_PRIVATE, IPC_CREAT, BYTES = 0, 0o1000, 56  # of shmget(2)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "shmget"), reason="no System V shared memory")
def test_shared_memory_is_removed_by_its_number(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None)
    number = libc.shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0o600)
    assert number >= 0
    (tmp_path / SHARED_MEMORY).write_text(str(number))
    remove_shared_memory(tmp_path)
    assert libc.shmctl(number, IPC_RMID, None) == -1  # there is none any more


def test_folder_without_a_number_has_no_shared_memory(tmp_path: Path) -> None:
    remove_shared_memory(tmp_path)
    (tmp_path / SHARED_MEMORY).write_text("none")
    remove_shared_memory(tmp_path)
