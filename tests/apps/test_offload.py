"""Where CPU-bound work of the async app runs: on the loop, in a thread, in a process."""

import os
import threading

import anyio
import pytest

from apps.shared import offload
from apps.shared.settings import settings


def _here() -> tuple[int, int]:
    """This process and thread."""
    return os.getpid(), threading.get_ident()


@pytest.mark.parametrize(
    ("where", "same_process", "same_thread"),
    [("none", True, True), ("thread", True, False), ("process", False, False)],
)
def test_work_runs_where_the_setting_says(
    where: str, same_process: bool, same_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offload, "settings", settings.model_copy(update={"cpu_offload": where}))
    process, thread = anyio.run(offload.run_cpu, _here)
    assert (process == os.getpid()) == same_process
    if same_process:
        assert (thread == threading.get_ident()) == same_thread


def test_what_it_raises_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for where in ("none", "thread", "process"):
        monkeypatch.setattr(offload, "settings", settings.model_copy(update={"cpu_offload": where}))
        with pytest.raises(ValueError, match="invalid literal"):
            anyio.run(offload.run_cpu, int, "x")
