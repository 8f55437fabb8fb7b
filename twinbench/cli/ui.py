"""`twinbench ui`."""

import contextlib
import sys
import time

from twinbench.cli.console import out
from twinbench.paths import NEEDS_CHECKOUT, PLANS, ROOT

HOST, PORT = "127.0.0.1", 8089  # Locust's own port
LOCUSTFILE = ROOT / "loadtests" / "locustfile.py"


def ui() -> None:
    """Serve both apps and Locust's web page, to try loads by hand, until Ctrl-C."""
    from twinbench.interruption import interruptible
    from twinbench.measure.processes import Child
    from twinbench.measure.rig import Rig
    from twinbench.measure.server import ServerFailedError
    from twinbench.plan import read_plan
    from twinbench.run import machine_lock
    from twinbench.scratch import scratch
    from twinbench.text import UserError

    if not PLANS.is_dir():
        raise UserError(f"the pair of apps that 'ui' serves {NEEDS_CHECKOUT}")
    plan = read_plan(PLANS / "bench.toml")
    with machine_lock(), contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch())
        rig = stack.enter_context(Rig(plan, folder))
        rig.services.start()
        servers = []
        for server in stack.enter_context(rig.running(plan.targets)):
            if isinstance(server, ServerFailedError):
                raise server
            servers.append(server)
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", servers[0].url]
        command += ["--web-host", HOST, "--web-port", str(PORT)]
        locust = Child(command, log=folder / "locust.log", cores=rig.cores.generator, cwd=ROOT)
        stack.callback(locust.stop)
        out.print(f"Locust's page:  http://{HOST}:{PORT}   (Ctrl-C ends all)")
        for server in servers:
            out.print(f"host for {server.target.name:12} {server.url}")
        while locust.exit_code() is None:
            with interruptible():
                time.sleep(0.2)
        raise UserError(f"Locust ended; its last output: {locust.last_output()}")
