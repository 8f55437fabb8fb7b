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
from twinbench.plan.render import NOTHING, Rendered, Taken, render
from twinbench.plan.requests import BaseRequest, Before, Request

__all__ = [
    "ASPECTS",
    "MOST_RATE",
    "MOST_USERS",
    "NOTHING",
    "Arrivals",
    "Aspect",
    "BaseRequest",
    "Before",
    "Cell",
    "Load",
    "LoadKind",
    "Plan",
    "PlanError",
    "Rendered",
    "Request",
    "Scenario",
    "Taken",
    "Target",
    "cells",
    "loads_of",
    "read_plan",
    "read_scenario",
    "render",
    "scenario_names",
]
