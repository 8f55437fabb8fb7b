"""`python -m twinbench.report RUN` keeps a run's report as reports/sample."""

import sys
from pathlib import Path

from twinbench.report.sample import keep

keep(Path(sys.argv[1]))
