"""Plans: models, reading with good errors, rendering of requests."""

from twinbench.plan.feed import rows_of, rows_of_users
from twinbench.plan.models import (
    ASPECTS,
    MAX_RATE,
    MAX_USERS,
    AddedBlock,
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
    measured_together,
)
from twinbench.plan.prepared import prepared_for
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
    "AddedBlock",
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
    "measured_together",
    "prepared_for",
    "read_plan",
    "read_scenario",
    "render",
    "rows_of",
    "rows_of_users",
    "scenario_names",
]
