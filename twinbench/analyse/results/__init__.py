"""What an analysis says: the only thing that reports see. Units are in the names.

`results.json` is a `Results`, and `twinbench schema` prints its JSON Schema
(docs/results.schema.json).
"""

from twinbench.analyse.results.base import (
    METRICS,
    MORE_IS_BETTER,
    CellStatus,
    Decision,
    Estimate,
    Metric,
    Result,
    Verdict,
)
from twinbench.analyse.results.cells import (
    CellResult,
    Generator,
    ServerTelemetry,
    Spectrum,
    Timeline,
)
from twinbench.analyse.results.claims import ClaimResult
from twinbench.analyse.results.comparisons import Comparison, Crossover
from twinbench.analyse.results.curves import (
    PERCENTS,
    Capacity,
    Curve,
    Objective,
    Point,
    Prediction,
)
from twinbench.analyse.results.whole import Results, Timing

__all__ = [
    "METRICS",
    "MORE_IS_BETTER",
    "PERCENTS",
    "Capacity",
    "CellResult",
    "CellStatus",
    "ClaimResult",
    "Comparison",
    "Crossover",
    "Curve",
    "Decision",
    "Estimate",
    "Generator",
    "Metric",
    "Objective",
    "Point",
    "Prediction",
    "Result",
    "Results",
    "ServerTelemetry",
    "Spectrum",
    "Timeline",
    "Timing",
    "Verdict",
]
