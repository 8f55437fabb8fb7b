"""Measuring: the plans of a calibration like those of a run, and what takes turns with them."""

import contextlib
import json
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from tests.instrument import RUNS, MissingDataError
from tests.instrument.plans import ARRIVALS_S, FREEZE_AFTER_S, RATE, STOP_S, USERS, log_of
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, Target
from twinbench.selfcheck.check import bare_timer, measure_plan, output
from twinbench.store import CellRecord, atomic_write

# Two hundred cycles of the 10 ms that it waits for: what it loses at its ends is half a percent.
WRK_S = 2
WRK = ["wrk", "-t1", f"-c{USERS}", f"-d{WRK_S}s", "--latency"]
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
POLL_S = 0.01
GENERATOR = "twinbench.load.generator"

OnRecord = Callable[[CellRecord], None]


def measure(plans: Sequence[Plan], rig: Rig, folder: Path, on_record: OnRecord) -> None:
    """Measure `plans` into `folder`, and in turns with their cells what belongs to them."""

    def measured(record: CellRecord) -> None:
        on_record(record)
        if record.scenario == "poisson":
            bare_timer(rig, RATE, ARRIVALS_S, folder, record.block)
        if record.scenario == "beside_wrk":
            path = plan.scenario(record.scenario).requests[0].path
            run_wrk(rig, plan.target(record.target), path, folder, record.block)

    with _stopping_generator(folder):
        for plan in plans:
            measure_plan(plan, rig, folder / RUNS, measured)


def run_wrk(rig: Rig, target: Target, path: str, folder: Path, number: int) -> None:
    """Measure a fresh server of `target` with wrk."""
    server = rig.start(target)
    try:
        text = output([*WRK, server.url + path], rig.cores.generator, folder, WRK_S)
    finally:
        server.stop()
    atomic_write(folder / f"wrk-{number}.json", json.dumps(read_wrk(text)))


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def read_wrk(text: str) -> dict[str, float]:
    """Return throughput and median from the output of wrk. Raises MissingDataError."""
    rps = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)\b", text)
    if not rps or not p50:
        raise MissingDataError(f"no figures in the output of wrk: {text[-200:]!r}")
    return {"rps": float(rps[1]), "p50_ms": float(p50[1]) * UNITS_MS[p50[2]]}


@contextlib.contextmanager
def _stopping_generator(folder: Path) -> Iterator[None]:
    """Stop the generator (SIGSTOP) for STOP_S in the middle of the load on the target `stopped`."""
    ended = threading.Event()
    thread = threading.Thread(target=_stop_once, args=(folder, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _stop_once(folder: Path, ended: threading.Event) -> None:
    started = log_of("stopped", folder).with_suffix(".started")
    while not started.exists():
        if ended.wait(POLL_S):
            return
    if ended.wait(FREEZE_AFTER_S):
        return
    processes = _generator_processes()
    _signal(processes, signal.SIGSTOP)
    began_ns = time.perf_counter_ns()
    ended.wait(STOP_S)
    ended_ns = time.perf_counter_ns()
    _signal(processes, signal.SIGCONT)
    atomic_write(folder / "stop-1.json", json.dumps([began_ns, ended_ns]))


def _generator_processes() -> list[psutil.Process]:
    """Return the generator's processes without the supervisor, which would end it."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if GENERATOR in process.cmdline() and not any("supervisor" in p for p in process.cmdline())
    ]


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
