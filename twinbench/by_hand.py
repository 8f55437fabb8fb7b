"""`twinbench ui`: both apps and Locust's web page, for trying loads by hand."""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from twinbench.measure.child import Child
from twinbench.measure.rig import Rig
from twinbench.plan import PLANS, ROOT, read_plan
from twinbench.store import StoreError

PAGE_PORT = 8089  # Locust's own
LOCUSTFILE = ROOT / "loadtests" / "locustfile.py"


def serve_by_hand(console: Console) -> None:
    """Serve the bench plan's targets and Locust's page until Ctrl-C or until Locust ends."""
    plan = read_plan(PLANS / "bench.toml")
    with (
        tempfile.TemporaryDirectory(prefix="twinbench-log-") as folder,
        Rig(plan, Path(folder)) as rig,
    ):
        servers = [rig.start(target) for target in plan.targets]
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
        command += ["--host", servers[0].url, "--web-port", str(PAGE_PORT)]
        page = Child(command, log=Path(folder) / "locust.log", cores=rig.cores.generator, cwd=ROOT)
        try:
            console.print(f"Locust's page:  http://localhost:{PAGE_PORT}   (Ctrl-C ends all)")
            for server in servers:
                console.print(f"host for {server.target.name:12} {server.url}")
            while page.exit_code() is None:
                time.sleep(0.2)
            raise StoreError(f"Locust ended; its last output: {page.last_output()}")
        except KeyboardInterrupt:
            console.print("Stopped.")
        finally:
            page.stop()
            for server in servers:
                server.stop(at_once=True)
