"""Where things are: of this checkout, and of what is measured, where the command is called."""

from pathlib import Path

PACKAGE = Path(__file__).parent
# Of the checkout. In an installed package none of these exist.
ROOT = PACKAGE.parent
PLANS, SCENARIOS = ROOT / "loadtests" / "plans", ROOT / "loadtests" / "scenarios"
NEEDS_CHECKOUT = "comes with a checkout of twinbench, and this is an installed package"
OWN_PLAN = Path("twinbench.toml")  # written by `init`; `run` and `check` take it by themselves
RUNS, LATEST = Path("reports/runs"), Path("reports/latest")
INDEX = "index.html"  # beside the folder of runs
COMPARED = Path("reports/compare")  # the page on stored runs
