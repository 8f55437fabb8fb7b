"""All results of a run, and the questions that reports ask of them."""

from typing import Literal

from pydantic import Field

from twinbench.analyse.results.base import Metric, Result
from twinbench.analyse.results.cells import CellResult, Timeline
from twinbench.analyse.results.claims import ClaimResult
from twinbench.analyse.results.comparisons import Comparison, Crossover
from twinbench.analyse.results.curves import Curve
from twinbench.findings import SelfCheck
from twinbench.plan import LoadKind, Plan
from twinbench.preflight.result import PreflightPair
from twinbench.store import Machine


class Timing(Result):
    """When the run was begun, in local time with its zone; how long it took, and how much of that
    lies inside measuring windows."""

    started: str
    elapsed_s: float
    window_s: float
    sessions: int


class Results(Result):
    format: Literal[5] = 5
    run: str
    plan: Plan
    timing: Timing
    missing_cells: int
    preflight: list[PreflightPair] = Field(default=[])
    # What a reader must know of the run as a whole, a sentence each: what is missing, and why.
    remarks: list[str] = Field(default=[])
    cells: list[CellResult]
    curves: list[Curve]
    comparisons: list[Comparison]
    crossovers: list[Crossover]
    claims: list[ClaimResult]
    timelines: list[Timeline]
    self_check: SelfCheck | None
    machine: Machine
    versions: dict[str, str]

    def curves_of(self, scenario: str, kind: LoadKind) -> list[Curve]:
        """The curves of one scenario over the loads of one kind, in the order of its targets."""
        return [c for c in self.curves if (c.scenario, c.load_kind) == (scenario, kind)]

    def cells_of(self, curve: Curve) -> list[CellResult]:
        """The measurements behind a curve, in the order of measuring."""
        return [
            cell
            for cell in self.cells
            if (cell.scenario, cell.target, cell.load.kind)
            == (curve.scenario, curve.target, curve.load_kind)
        ]

    def compared(
        self, scenario: str, kind: LoadKind, metric: Metric, candidate: str | None = None
    ) -> list[Comparison]:
        """The comparisons of one scenario (and of one candidate) at loads of one kind, by load."""
        return [
            comparison
            for comparison in self.comparisons
            if (comparison.scenario, comparison.load.kind, comparison.metric)
            == (scenario, kind, metric)
            and candidate in (None, comparison.candidate)
        ]

    def decisive(self, scenario: str, kind: LoadKind) -> Metric:
        """The metric by which targets are compared: users who wait for answers get as many as
        the server gives; arrivals are as many for all targets, and wait longer or shorter. p99,
        unless it lacks samples at a load at which the median does not."""
        if kind == "closed":
            return "throughput"
        medians, tails = (
            {c.load for c in self.compared(scenario, kind, metric) if c.ratio}
            for metric in ("p50", "p99")
        )
        return "p99" if tails and tails >= medians else "p50"

    def pairs(self, kind: LoadKind) -> list[tuple[str, list[Comparison]]]:
        """A name and the decisive comparisons of each scenario and candidate that has loads of
        this kind; the name is the scenario's, with the candidate's where there are several."""
        found = []
        for scenario in self.plan.scenarios:
            candidates = self.plan.targets_of(scenario)[1:]
            metric = self.decisive(scenario.name, kind)
            for candidate in candidates:
                name = scenario.name if len(candidates) == 1 else f"{scenario.name}: {candidate}"
                if compared := self.compared(scenario.name, kind, metric, candidate):
                    found.append((name, compared))
        return found
