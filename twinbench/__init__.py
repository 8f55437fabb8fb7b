"""The harness: measures two implementations of one app and says which is faster, where and why."""

from pathlib import Path

# Where things are: of this checkout, and of what is measured, where the command is called.
ROOT = Path(__file__).parents[1]
PLANS = ROOT / "loadtests" / "plans"
RUNS, LATEST = Path("reports/runs"), Path("reports/latest")
