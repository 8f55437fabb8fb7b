"""Plans: models, reading with good errors, rendering of requests."""

from twinbench.plan.feed import rows_of, rows_of_users
from twinbench.plan.fields import (
    ASPECTS,
    MAX_RATE,
    MAX_USERS,
    REQUEST_ASPECTS,
    Aspect,
    differences_text,
)
from twinbench.plan.loads import (
    AddedBlock,
    Cell,
    Load,
    LoadKind,
    cells,
    loads_of,
    measured_together,
)
from twinbench.plan.models import Arrivals, Plan, Scenario
from twinbench.plan.prepared import prepared_for
from twinbench.plan.read import PlanError, Wishes, read_plan, read_scenario, scenario_names
from twinbench.plan.requests import (
    NO_CAPTURES,
    BaseRequest,
    Captures,
    Rendered,
    Request,
    SetupRequest,
    render,
)
from twinbench.plan.targets import POSTGRES, SERVICE_ADDRESS, Service, Target

__all__ = [
    "ASPECTS",
    "MAX_RATE",
    "MAX_USERS",
    "NO_CAPTURES",
    "POSTGRES",
    "REQUEST_ASPECTS",
    "SERVICE_ADDRESS",
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
    "Service",
    "SetupRequest",
    "Target",
    "Wishes",
    "cells",
    "differences_text",
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
