"""Plans: read, checked, and expanded into cells."""

from twinbench.plan.models import Plan, Request, Scenario, Target
from twinbench.plan.order import Cell, Load, cells
from twinbench.plan.read import (
    PLANS,
    ROOT,
    PlanError,
    read_plan,
    read_scenario,
    scenario_names,
)
from twinbench.plan.render import render

__all__ = [
    "PLANS",
    "ROOT",
    "Cell",
    "Load",
    "Plan",
    "PlanError",
    "Request",
    "Scenario",
    "Target",
    "cells",
    "read_plan",
    "read_scenario",
    "render",
    "scenario_names",
]
