"""Calibration: the load generator and the analysis checked against known answers.

`python -m tests.instrument` (make calibrate) measures servers with known answers as a run would,
and prints a table. docs/calibration.md explains the items and their bounds.
"""

# Subfolders of the folder that a calibration is measured into.
RUNS, LOGS = "runs", "logs"


class MissingDataError(Exception):
    """Data that a check needs were not measured."""
