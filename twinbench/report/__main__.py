"""`python -m twinbench.report RUN` keeps a run's report as reports/sample."""

import sys
from pathlib import Path

from twinbench.report.sample import keep

# The processes that draw import this, too.
if __name__ == "__main__":
    keep(Path(sys.argv[1]))
