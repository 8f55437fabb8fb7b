"""Versions of an app: served from their folders; an installation that is interrupted or killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import LONG_S, marked_environment, none_left, wait_for
from tests.support.repositories import PLAN, app, commit, digest, make_repository, write
from twinbench.measure.rig import Rig
from twinbench.paths import ROOT
from twinbench.plan import read_plan
from twinbench.preflight.check import check
from twinbench.preflight.result import PreflightError
from twinbench.versions.git import Refs
from twinbench.versions.plan import prepare_versions

# As a command does it: under the lock, in a scratch folder.
PREPARE = """
import twinbench.__main__ as entry
import twinbench.cli
from pathlib import Path

def prepare():
    from twinbench.plan import read_plan
    from twinbench.run import machine_lock
    from twinbench.scratch import scratch
    from twinbench.versions.git import Refs
    from twinbench.versions.plan import prepare_versions
    file = Path("plan.toml")
    with machine_lock(), scratch() as folder:
        prepare_versions(read_plan(file), file, Refs("HEAD"), None, folder, lambda _: None)
    return 0

twinbench.cli.main = prepare
entry.main()
"""
INSTALL = """
[compare]
install = ["sh", "-c", "touch '{started}'; sleep 600 & sleep 600"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_repository(tmp_path / "shop")
    commit(root, "First", shop__py=app("one"), plan__toml=PLAN)
    return root


@pytest.mark.parametrize("body", ["one", "two"])
def test_versions_are_served_from_their_folders(root: Path, tmp_path: Path, body: str) -> None:
    write(root / "shop.py", app(body) + "# changed\n")
    file = root / "plan.toml"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = prepare_versions(read_plan(file), file, Refs("HEAD"), None, scratch, lambda _: None)
    with Rig(found.plan, tmp_path) as rig:
        if body == "one":
            pairs = check(found.plan, str(file), rig, lambda _: None)
            assert [(pair.baseline, pair.candidate) for pair in pairs] == [
                ("base", "head"),
                ("base", "base_again"),
            ]
        else:
            with pytest.raises(PreflightError, match="head"):
                check(found.plan, str(file), rig, lambda _: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_installation_that_is_ended_leaves_nothing(
    root: Path, tmp_path: Path, number: signal.Signals
) -> None:
    started, temporary = tmp_path / "started", tmp_path / "temporary"
    temporary.mkdir()
    write(root / "plan.toml", PLAN + INSTALL.format(started=started))
    before = digest(root)
    mark = f"install-{os.getpid()}-{number}"
    own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARE], cwd=root, env=marked_environment(mark) | own
    )
    assert wait_for(lambda: started.exists() or process.poll() is not None)
    process.send_signal(number)
    process.wait(LONG_S)
    assert started.exists()
    assert none_left(mark)
    assert digest(root) == before
    assert not list(tmp_path.glob("twinbench/environments/*"))
    if number == signal.SIGTERM:
        assert process.returncode == 130
        assert not list(temporary.iterdir())
