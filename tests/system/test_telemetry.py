"""What is seen from inside real servers: blocked, crowded, short of connections."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.system.processes import LONG_S
from tests.system.watched import APP, asking, comes, get, serving, target
from twinbench.measure import probe
from twinbench.measure.server import Server


def last(server: Server, *columns: str) -> tuple[object, ...]:
    """What the probe saw last."""
    assert server.inside
    rows = server.inside.rows()
    return rows.select(columns).row(-1) if rows.height else ()


def test_a_blocked_loop_is_seen_while_it_is_blocked(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        assert comes(lambda: bool(last(server, "t_ns")))
        with asking(server, "/block", 1, tmp_path / "gate"):
            assert comes(lambda: float(str(last(server, "loop_lag_ms")[0])) > 300)
            assert server.state(time.monotonic() + 0.1) == {}
        assert comes(lambda: float(str(last(server, "loop_lag_ms")[0])) < 300)


def test_threads_in_use_and_waited_for_are_counted(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        with asking(server, "/wait", 47, tmp_path / "gate"):
            assert comes(lambda: last(server, "threads_used", "threads_waiting") == (40, 7))
        assert comes(lambda: last(server, "threads_used", "threads_waiting") == (0, 0))


def test_connections_in_use_and_waited_for_are_counted(tmp_path: Path) -> None:
    columns = ("connections_used", "connections_waiting")
    with serving(target(tmp_path)) as server:
        assert comes(lambda: last(server, *columns) == (None, None))
        # SQLAlchemy is imported by the first request.
        with asking(server, "/hold", 1, tmp_path / "gate"):
            pass
        assert comes(lambda: last(server, *columns) == (0, 0))
        with asking(server, "/hold", 3, tmp_path / "gate"):
            assert comes(lambda: last(server, *columns) == (1, 2))
        assert comes(lambda: last(server, *columns) == (0, 0))
        assert server.drained(LONG_S)


@pytest.mark.parametrize("own", [False, True])
def test_a_connection_that_is_kept_is_not_drained_unless_it_was_kept_from_the_start(
    tmp_path: Path, own: bool
) -> None:
    text = APP.replace("one, OWN = None, False", f"one, OWN = None, {own}")
    with serving(target(tmp_path, "import sqlalchemy\n" + text)) as server:
        assert server.drained(LONG_S)
        get(server.url + "/keep")
        assert not server.drained(0.3)


def test_40_threads_at_once_are_counted_right() -> None:
    pools = Path(__file__).with_name("pools.py")
    done = subprocess.run(
        [sys.executable, str(pools), str(Path(probe.__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=LONG_S,
    )
    assert json.loads(done.stdout) == {
        **{f"{name} held": [1, 0] for name in ("queue", "null", "static")},
        **{f"{name} after": [0, 0] for name in ("queue", "null", "static")},
        **{way: [1, 0] for way in ("closed", "detached", "invalidated", "dropped")},
    }


@pytest.mark.parametrize("name", ["mmap.mmap", "time.thread_time_ns"])
def test_a_probe_that_fails_says_why_and_the_app_is_served(tmp_path: Path, name: str) -> None:
    module = name.partition(".")[0]
    with serving(target(tmp_path, f"import {module}\n{name} = None\n{APP}")) as server:
        assert comes(lambda: server.why_unseen(LONG_S).startswith("TypeError: "))
        assert server.drained(LONG_S)
