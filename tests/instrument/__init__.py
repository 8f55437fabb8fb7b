"""Calibration: the load generator and the analysis checked against known answers.

`python -m tests.instrument` (make calibrate) measures servers with known answers as a run would,
and prints a table. docs/calibration.md explains the items and their bounds.
"""

# Subfolder with the run folders. Beside it, `<name>-<number>.json`: whatever else was recorded.
RUNS = "runs"


class MissingDataError(Exception):
    """Data that a check needs were not measured."""
