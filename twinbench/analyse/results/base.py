"""What all results are made of."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

# `per_cpu_s`: good answers per CPU second of the server, the inverse of what one costs.
Metric = Literal["throughput", "per_cpu_s", "p50", "p99"]
METRICS: tuple[Metric, ...] = ("throughput", "per_cpu_s", "p50", "p99")
# Of the others, less is better.
MORE_IS_BETTER: frozenset[Metric] = frozenset({"throughput", "per_cpu_s"})
CellStatus = Literal["valid", "invalid", "collapsed"]
Decision = Literal["faster", "slower", "no difference shown", "not comparable"]
Verdict = Literal["supported", "refuted", "not shown"]


class Result(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Estimate(Result):
    """A figure and its 95 % interval over blocks; without bounds where there is one block."""

    estimate: float
    low: float | None = None
    high: float | None = None
