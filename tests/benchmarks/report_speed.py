"""Time and memory from recorded requests to a finished report.

Not a test, since a shared machine has slow minutes. `make bench-report` prints a line for each
size, and whether the largest is within its limits.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from tests.support import factories, runs
from twinbench.paths import PLANS
from twinbench.plan import Cell, Plan, cells, read_plan
from twinbench.store import CellRecord

REQUESTS = (1_000_000, 3_000_000, 10_000_000)
# Limits of the largest, on two cores.
MOST_S, MOST_MIB = 15.0, 1024.0
SAMPLE_S = 0.05
SEED = 20260117


def main() -> int:
    """Return 0 if the largest is within its limits, 1 if not."""
    plan = read_plan(PLANS / "full.toml")
    print(f"{len(cells(plan))} cells of the full plan, synthetic requests")
    for requests in REQUESTS:
        with tempfile.TemporaryDirectory(prefix="twinbench-speed-") as folder:
            run = _write(Path(folder), plan, requests)
            took_s, most_mib = _report(run)
            each_s = 1e6 * took_s / requests
            megabytes = (run / "report.html").stat().st_size / 1e6
        print(
            f"{requests:>12,} requests: {took_s:5.1f} s ({each_s:5.2f} s a million),"
            f" {most_mib:5,.0f} MiB, report.html {megabytes:.1f} MB"
        )
    within = took_s <= MOST_S and most_mib <= MOST_MIB
    verdict = "within" if within else "BEYOND"
    print(f"limits: {MOST_S:g} s and {MOST_MIB:,.0f} MiB: {verdict}")
    return 0 if within else 1


def _write(folder: Path, plan: Plan, requests: int) -> Path:
    rng = np.random.default_rng(SEED)
    each = requests // len(cells(plan))

    def make(cell: Cell) -> tuple[CellRecord, pl.DataFrame]:
        return runs.record(cell, good=each), _scattered(rng, each, cell.load.value)

    store = runs.write_run(
        folder,
        plan,
        make,
        telemetry=lambda _: runs.telemetry(loop_lag_ms=0.4, threads_used=8, threads_waiting=0),
        self_check=factories.self_check(),
    )
    return store.folder


def _scattered(rng: np.random.Generator, count: int, in_flight: int) -> pl.DataFrame:
    """Return responses at random times, with as many requests in flight as there are users."""
    begin, end = runs.WINDOW_NS
    mean_ns = in_flight * (end - begin) / count
    done = np.sort(rng.integers(begin, end, count))
    sent = np.maximum(done - rng.gamma(4.0, mean_ns / 4.0, count).astype(np.int64), 1)
    return runs.rows(sent, sent, done, [""] * count)


def _report(run: Path) -> tuple[float, float]:
    """Return the seconds and the peak MiB of all processes of `twinbench report`."""
    began_s = time.perf_counter()
    command = [sys.executable, "-m", "twinbench", "report", str(run)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        most_mib = max(_memory_mib(process), default=0.0)
    if process.returncode:
        raise SystemExit(f"twinbench report ended with {process.returncode}")
    return time.perf_counter() - began_s, most_mib


def _memory_mib(process: "subprocess.Popen[bytes]") -> Iterator[float]:
    """Yield the memory of the process and its children that is not shared, until it ends."""
    while process.poll() is None:
        with suppress(psutil.Error):  # one has just ended
            root = psutil.Process(process.pid)
            tree = [root, *root.children(recursive=True)]
            yield sum(each.memory_full_info().uss for each in tree) / 2**20
        time.sleep(SAMPLE_S)


if __name__ == "__main__":
    raise SystemExit(main())
