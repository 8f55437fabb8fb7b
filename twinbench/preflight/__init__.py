"""Before anything is measured: the same work, or no measurement."""

from twinbench.preflight.check import check
from twinbench.preflight.collect import PreflightError

__all__ = ["PreflightError", "check"]
