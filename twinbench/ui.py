"""`twinbench ui`: both apps and Locust's web page, for trying loads by hand."""

import contextlib
import sys
import time

from rich.console import Console

from twinbench.interruption import interruptible
from twinbench.measure.processes import Child
from twinbench.measure.rig import Rig
from twinbench.paths import PLANS, ROOT
from twinbench.plan import read_plan
from twinbench.run import machine_lock
from twinbench.scratch import scratch
from twinbench.store import StoreError

PAGE_HOST = "127.0.0.1"
PAGE_PORT = 8089  # Locust's own
LOCUSTFILE = ROOT / "loadtests" / "locustfile.py"


def serve_ui(console: Console) -> None:
    """Serve the bench plan's targets and Locust's page until Ctrl-C or until Locust ends."""
    plan = read_plan(PLANS / "bench.toml")
    with machine_lock(), contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch())
        rig = stack.enter_context(Rig(plan, folder))
        servers = []
        for target in plan.targets:
            servers.append(rig.start(target))
            stack.callback(servers[-1].stop, at_once=True)
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", servers[0].url]
        command += ["--web-host", PAGE_HOST, "--web-port", str(PAGE_PORT)]
        page = Child(command, log=folder / "locust.log", cores=rig.cores.generator, cwd=ROOT)
        stack.callback(page.stop)
        console.print(f"Locust's page:  http://{PAGE_HOST}:{PAGE_PORT}   (Ctrl-C ends all)")
        for server in servers:
            console.print(f"host for {server.target.name:12} {server.url}")
        while page.exit_code() is None:
            with interruptible():
                time.sleep(0.2)
        raise StoreError(f"Locust ended; its last output: {page.last_output()}")
