"""Where things are: of this checkout, and of what is measured, where the command is called."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PLANS = ROOT / "loadtests" / "plans"
RUNS, LATEST = Path("reports/runs"), Path("reports/latest")
