"""Locust with loadtests/locustfile.py, with and without its page."""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support.gated import serving
from tests.support.processes import LONG_S, wait_for
from twinbench.measure.processes import Child
from twinbench.paths import ROOT
from twinbench.plan import Target

LOCUST = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")]


def test_locust_runs_a_scenario() -> None:
    with serving(Target(name="async", app="apps.async_app.main:app", cwd=None)) as server:
        options = ["--headless", "-u", "4", "-r", "4", "-t", "5s", "--scenario", "noop"]
        done = subprocess.run(
            [*LOCUST, *options, "--host", server.url, "--json"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=LONG_S,
        )
    assert done.returncode == 0, done.stderr
    assert '"name": "/workload/noop"' in done.stdout
    assert '"num_failures": 0' in done.stdout
    assert '"num_requests": 0' not in done.stdout


def test_the_page_offers_the_scenarios(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--web-host", "127.0.0.1", "--web-port", str(port)]
    child = Child([*LOCUST, *options], log=tmp_path / "locust.log", cwd=ROOT)
    pages: list[str] = []

    def page_is_there() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=LONG_S) as response:
                pages.append(response.read().decode())
        except OSError:
            assert child.exit_code() is None, child.last_output()
        return bool(pages)

    try:
        assert wait_for(page_is_there)
    finally:
        child.stop()
    assert "read_post" in pages[0]
    assert "list_posts" in pages[0]
