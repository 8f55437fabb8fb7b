"""Locust with loadtests/locustfile.py, with and without its page."""

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.processes import LONG_S
from twinbench.measure.processes import Child
from twinbench.measure.server import Server
from twinbench.paths import ROOT
from twinbench.plan import Target

LOCUST = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")]


def test_locust_runs_a_scenario() -> None:
    server = Server(Target(name="async", app="apps.async_app.main:app", cwd=None))
    try:
        server.wait_until_ready(LONG_S)
        options = ["--headless", "-u", "4", "-r", "4", "-t", "5s", "--scenario", "noop"]
        done = subprocess.run(
            [*LOCUST, *options, "--host", server.url, "--json"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=LONG_S,
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    assert '"name": "/workload/noop"' in done.stdout
    assert '"num_failures": 0' in done.stdout
    assert '"num_requests": 0' not in done.stdout


def test_the_page_offers_the_scenarios(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--web-host", "127.0.0.1", "--web-port", str(port)]
    child = Child([*LOCUST, *options], log=tmp_path / "locust.log", cwd=ROOT)
    try:
        page = _page(child, f"http://127.0.0.1:{port}")
    finally:
        child.stop()
    assert "read_post" in page
    assert "list_posts" in page


def _page(child: Child, url: str) -> str:
    end = time.monotonic() + LONG_S
    while time.monotonic() < end and child.exit_code() is None:
        try:
            with urllib.request.urlopen(url, timeout=LONG_S) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.2)
    raise AssertionError(child.last_output())
