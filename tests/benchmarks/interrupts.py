"""Ctrl-C at random times of a run: its message, and what it leaves. `make test-interrupts`.

Each run is interrupted once, between 0 and 6 s after its start. It must end with exit code 130 and
one line on stderr, and leave no process and no temporary file. Runs that are interrupted while
Python itself starts are counted separately: twinbench cannot handle that signal.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.faults import TINY, start_run
from tests.support.processes import marked, none_left

LATEST_S = 6.0
TIMEOUT_S = 60
# Long enough that a run is still measuring then.
PLAN = TINY.replace("blocks = 1", "blocks = 8")
BEFORE, ENDED, FINE = "before the first instruction", "had ended", "ended cleanly"


def main() -> int:
    """Interrupt the runs; return 1 if one of them did not end cleanly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"{options.runs} runs, each interrupted once (seed {options.seed})")
    found: Counter[str] = Counter()
    for n in range(1, options.runs + 1):
        delay_s = rng.uniform(0, LATEST_S)
        with tempfile.TemporaryDirectory(prefix="interrupts-") as folder:
            outcome = interrupted(Path(folder), delay_s, f"interrupts-{os.getpid()}-{n}")
        found[outcome if outcome in (BEFORE, ENDED, FINE) else "wrong"] += 1
        if outcome not in (BEFORE, ENDED, FINE):
            print(f"{n}: after {delay_s:.3f} s: {outcome}", flush=True)
        if n % 20 == 0:
            print(f"{n} of {options.runs}: {dict(found)}", flush=True)
    return 1 if found["wrong"] else 0


def interrupted(folder: Path, delay_s: float, mark: str) -> str:
    """Interrupt one run after `delay_s`; return the outcome."""
    (folder / "tiny.toml").write_text(PLAN)
    temporary = folder / "temporary"
    temporary.mkdir()
    os.environ |= {"TMPDIR": str(temporary), "TWINBENCH_LOCK": str(folder / "lock")}
    process = start_run(folder, mark, self_check=True)
    time.sleep(delay_s)
    begun = catches_sigterm(process.pid)
    process.send_signal(signal.SIGINT)
    try:
        _, stderr = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"still ran {TIMEOUT_S} s later"
    if process.returncode == 0:
        return ENDED
    if not none_left(mark):
        return f"left processes: {[left.cmdline() for left in marked(mark)]}"
    if left := [path.name for path in temporary.iterdir()]:
        return f"left temporary files: {left}"
    if not begun:
        return BEFORE
    if process.returncode != 130 or stderr.count("\n") != 1:
        return f"exit code {process.returncode}, {stderr!r}"
    return FINE


def catches_sigterm(pid: int) -> bool:
    """Return whether a process handles SIGTERM, as twinbench does from its first instruction.

    SIGINT would not show it: Python handles that itself.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.MULTILINE)
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


if __name__ == "__main__":
    sys.exit(main())
