"""How much a target can do: its highest good throughput, and its highest load within the SLO."""

from collections.abc import Sequence

from twinbench.analyse.results import Capacity, Objective, Point


def capacity(points: Sequence[Point]) -> Capacity | None:
    """None without a valid point."""
    raise NotImplementedError


def objective(points: Sequence[Point], slo_ms: float) -> Objective:
    """The highest load up to which every load meets the SLO."""
    raise NotImplementedError
