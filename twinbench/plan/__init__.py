"""Plans: read, checked, and expanded into cells."""

from twinbench.plan.models import (
    ASPECTS,
    MOST_RATE,
    MOST_USERS,
    Arrivals,
    Aspect,
    Plan,
    Scenario,
    Target,
)
from twinbench.plan.order import Cell, Load, LoadKind, cells, loads_of
from twinbench.plan.read import (
    PlanError,
    read_plan,
    read_scenario,
    scenario_names,
)
from twinbench.plan.render import NO_CAPTURES, Captures, Rendered, render
from twinbench.plan.requests import BaseRequest, Request, SetupRequest

__all__ = [
    "ASPECTS",
    "MOST_RATE",
    "MOST_USERS",
    "NO_CAPTURES",
    "Arrivals",
    "Aspect",
    "BaseRequest",
    "Captures",
    "Cell",
    "Load",
    "LoadKind",
    "Plan",
    "PlanError",
    "Rendered",
    "Request",
    "Scenario",
    "SetupRequest",
    "Target",
    "cells",
    "loads_of",
    "read_plan",
    "read_scenario",
    "render",
    "scenario_names",
]
