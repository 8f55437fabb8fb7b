"""Plans: models, reading with good errors, rendering of requests."""

from twinbench.plan.models import (
    ASPECTS,
    MAX_RATE,
    MAX_USERS,
    Arrivals,
    Aspect,
    Cell,
    Load,
    LoadKind,
    Plan,
    Scenario,
    Target,
    cells,
    loads_of,
)
from twinbench.plan.read import PlanError, read_plan, read_scenario, scenario_names
from twinbench.plan.requests import (
    NO_CAPTURES,
    BaseRequest,
    Captures,
    Rendered,
    Request,
    SetupRequest,
    render,
)

__all__ = [
    "ASPECTS",
    "MAX_RATE",
    "MAX_USERS",
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
