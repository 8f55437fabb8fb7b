"""What is measured beside the cells, on the same cores in the same minute."""

import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from twinbench.calibrate import LOGS, NoEvidenceError
from twinbench.calibrate.plans import FREEZE_AFTER_S, RATE, USERS
from twinbench.interruption import interruptible
from twinbench.measure.processes import Child
from twinbench.measure.rig import Rig
from twinbench.paths import ROOT
from twinbench.plan import Target
from twinbench.store import atomic_write

TIMER = Path(__file__).with_name("timer.py")
# Two hundred cycles of the 10 ms that it waits for: what it loses at its ends is half a percent.
WRK_S = 2
WRK = ["wrk", "-t1", f"-c{USERS}", f"-d{WRK_S}s", "--latency"]
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
SLACK_S = 20.0
# The generator is held for so long: hundred arrivals, and far below what ends a cell.
HOLD_S = 0.5
LOOK_S = 0.01
GENERATOR = "loadtests.generator"


def bare_timer(rig: Rig, seconds: float, folder: Path, number: int) -> None:
    """How late a bare timer loop wakes up on the generator's cores."""
    command = [sys.executable, str(TIMER), str(RATE), str(seconds), str(number)]
    said = output(command, rig.cores.generator, folder, seconds)
    atomic_write(folder / f"timer-{number}.json", said)


def wrk(rig: Rig, target: Target, path: str, folder: Path, number: int) -> None:
    """What wrk reads off a fresh server of `target`."""
    server = rig.start(target)
    try:
        said = output([*WRK, server.url + path], rig.cores.generator, folder, WRK_S)
    finally:
        server.stop()
    atomic_write(folder / f"wrk-{number}.json", json.dumps(read_wrk(said)))


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def read_wrk(said: str) -> dict[str, float]:
    """Throughput and median from the text that wrk prints. Raises NoEvidenceError."""
    rps = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)\b", said)
    if not rps or not p50:
        raise NoEvidenceError(f"wrk said something else than usual: {said[-200:]!r}")
    return {"rps": float(rps[1]), "p50_ms": float(p50[1]) * UNITS_MS[p50[2]]}


@contextmanager
def holding_generator(folder: Path, target: str) -> Iterator[None]:
    """Stop the generator for a while, once, in the middle of the load on `target`."""
    over = threading.Event()
    holder = threading.Thread(target=_hold_once, args=(folder, target, over))
    holder.start()
    try:
        yield
    finally:
        over.set()
        holder.join()


def _hold_once(folder: Path, target: str, over: threading.Event) -> None:
    """The server of `target` says when the load begins."""
    while not list((folder / LOGS / target).glob("*.first")):
        if over.wait(LOOK_S):
            return
    if over.wait(FREEZE_AFTER_S):
        return
    generators = _generators()
    _signal(generators, signal.SIGSTOP)
    began_ns = time.perf_counter_ns()
    over.wait(HOLD_S)
    ended_ns = time.perf_counter_ns()
    _signal(generators, signal.SIGCONT)
    atomic_write(folder / "hold-1.json", json.dumps({"began_ns": began_ns, "ended_ns": ended_ns}))


def _generators() -> list[psutil.Process]:
    """The generator's processes; not the supervisor, which must be able to end them at any time."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if GENERATOR in process.cmdline() and not any("supervisor" in p for p in process.cmdline())
    ]


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def output(command: list[str], cores: Sequence[int], folder: Path, seconds: float) -> str:
    """What `command`, which takes so many seconds, prints, run on `cores`. Raises
    NoEvidenceError if that is nothing."""
    log = folder / f"{Path(command[0]).name}.log"
    child = Child(command, log=log, cores=cores, cwd=ROOT, piped=True)
    watch = threading.Timer(seconds + SLACK_S, child.stop)
    watch.start()
    try:
        with interruptible():
            said = child.stdout.read().decode()
    finally:
        watch.cancel()
        watch.join()
        child.stop()
    if not said:
        raise NoEvidenceError(
            f"{Path(command[0]).name} printed nothing; its last words: {child.last_output()}"
        )
    return said
