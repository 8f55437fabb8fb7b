"""A sweep of the built-in app finds the border of its deadlock where the arithmetic has it."""

import json
import os
from pathlib import Path

import pytest

from tests.support.processes import none_left, twinbench
from twinbench.paths import ROOT

# One connection for all: with one worker thread a deadlock is possible from two users, with 16
# from 17.
PLAN = f"""
name = "border"
blocks = 1
warmup_s = 0.1
measure_s = 1.0

[sweep]
env.BLOG_WORKER_THREADS = [1, 16]
env.BLOG_POOL_SIZE = [1]

[[targets]]
name = "sync"
app = "apps.sync_app.main:app"
import_from = "{ROOT}"
env = {{ BLOG_MAX_OVERFLOW = "0" }}

[[scenarios]]
name = "read_post"
requests = [{{ path = "/api/posts/{{1..2000}}" }}]
closed = [1, 8]
"""


@pytest.mark.serial
def test_the_app_deadlocks_inside_the_border_only(tmp_path: Path) -> None:
    (tmp_path / "border.toml").write_text(PLAN)
    mark = f"sweep-{os.getpid()}"
    done = twinbench("run", "border.toml", cwd=tmp_path, mark=mark, self_check=False)
    assert done.returncode == 0, done.stderr
    assert none_left(mark)
    folder = (tmp_path / done.stdout.splitlines()[-1]).parent
    results = json.loads((folder / "results.json").read_text())
    borders = {each["target"]: each["deadlock_users"] for each in results["sweep"]["targets"]}
    assert borders == {"sync-1-1": 2, "sync-16-1": 17}
    assert results["comparisons"] == []
    collapsed = {
        (curve["target"], point["value"])
        for curve in results["curves"]
        for point in curve["points"]
        if point["status"] == "collapsed"
    }
    assert collapsed == {("sync-1-1", 8)}
    assert {path.name for path in (folder / "charts").iterdir()} == {
        f"read_post-closed.{figure}.{users}.svg"
        for figure in ("throughput", "p99")
        for users in (1, 8)
    }
