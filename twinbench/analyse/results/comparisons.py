"""Candidate against baseline: at each load, and where one overtakes the other."""

from typing import Literal

from pydantic import Field

from twinbench.analyse.results.base import Decision, Estimate, Metric, Result
from twinbench.plan import Load, LoadKind


class Comparison(Result):
    """Candidate against baseline at one load. `ratio` is candidate / baseline, paired by block;
    `decision` is about the candidate. `collapses` say in how many blocks which of the two stopped
    answering; the ratio is that of the `blocks` in which both answered. Where one stopped in half
    of its blocks or more there is no ratio, and `survivor` names the other if it went on.
    `expected_differences` is the plan's reason why the two are meant to
    differ; in what else they were found equal, and what could not be compared, is in
    `Results.preflight`. `same`: the
    two are one target twice (A/A), between which no difference may be shown.

    `adjusted_p` is the probability of a ratio so far beyond the margin if the true one were at the
    margin, adjusted (Holm) for the loads of the same scenario, candidate, kind of load and metric;
    below 0.05 there is a decision. `smallest_difference`: how far from 1 (0.12: 12 % more) the
    ratio would have had to be for this run to decide in four cases of five. `bootstrap`: the
    interval by another method (throughput only), as a cross-check."""

    scenario: str
    load: Load
    metric: Metric
    baseline: str
    candidate: str
    ratio: Estimate | None
    blocks: int
    decision: Decision
    adjusted_p: float | None = None
    smallest_difference: float | None = None
    bootstrap: Estimate | None = None
    same: bool = False
    survivor: str | None = None
    collapses: list[str] = Field(default=[])
    expected_differences: str | None = None
    reasons: list[str]


class Crossover(Result):
    """Where the candidate overtakes the baseline as the load grows, by `metric`.

    `found`: `crossover`, from a load at which the baseline is ahead to a load at which the
    candidate is; `reverse`, the other way round; of several changes the last, which holds to the
    end of the range; `none`: all decided loads agree; `not known`: none is decided. `at` is the
    load where the ratio crosses 1, interpolated on logarithms, `low` to `high` its interval. Where
    one of the two stopped answering, `at` is None and that load an end of the interval. `ahead`:
    who is ahead at the decided loads where `none` is found."""

    scenario: str
    load_kind: LoadKind
    metric: Metric
    baseline: str
    candidate: str
    found: Literal["crossover", "reverse", "none", "not known"]
    at: float | None = None
    low: float | None = None
    high: float | None = None
    ahead: str = ""
