"""Names in braces: where each value comes from, and who may use it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from twinbench.plan.requests import BaseRequest, SetupRequest
from twinbench.text import did_you_mean

if TYPE_CHECKING:
    from twinbench.plan.models import Scenario
    from twinbench.plan.targets import Target

# What a value belongs to, from the most to the fewest requests that share it.
Owner = Literal["server", "user", "request"]
OWNERS: tuple[Owner, ...] = ("server", "user", "request")


def check_names(scenario: "Scenario", targets: Sequence["Target"]) -> None:
    """Raise ValueError unless every name has one value, of a kind that its request can use.

    Without setup, feed and vars nothing is filled in: braces are the app's own business.
    """
    if not (scenario.setup or scenario.feed or any(target.vars for target in targets)):
        return
    _check_origins(scenario, targets)
    owners: dict[str, Owner] = {
        name: "server" for name in targets[0].vars if all(name in each.vars for each in targets)
    }
    if feed := scenario.feed:
        owners |= dict.fromkeys(feed.columns, feed.per)
    for request in (*scenario.setup, *scenario.requests):
        for name in request.names:
            if name not in owners:
                raise ValueError(_unknown(name, request, owners, scenario, targets))
            _check_owner(name, owners[name], request)
        if isinstance(request, SetupRequest):
            owners |= dict.fromkeys(request.capture, request.per)
    for target in targets:
        _check_vars(target, (*scenario.setup, *scenario.requests))


def _check_origins(scenario: "Scenario", targets: Sequence["Target"]) -> None:
    """Raise ValueError if a name has two values."""
    origins: dict[str, str] = {}
    if scenario.feed:
        origins |= dict.fromkeys(scenario.feed.columns, f"a column of {scenario.feed.file.name}")
    for request in scenario.setup:
        captured = f"captured per {request.per}"
        for name in request.capture:
            # Captured again, a value replaces the earlier one.
            if origins.setdefault(name, captured) != captured:
                raise ValueError(f"{{{name}}} is both {origins[name]} and {captured}: rename one")
    for target in targets:
        for name in target.vars:
            if name in origins:
                raise ValueError(
                    f"{{{name}}} is both {origins[name]} and a var of target '{target.name}':"
                    " rename one"
                )


def _unknown(
    name: str,
    request: BaseRequest,
    owners: Mapping[str, Owner],
    scenario: "Scenario",
    targets: Sequence["Target"],
) -> str:
    holds = f"'{request.label}' holds {{{name}}}"
    without = next(target for target in targets if name not in target.vars)
    if any(name in target.vars for target in targets):
        return f"{holds}, and target '{without.name}' has no such var: add it to its vars"
    looked = []
    if scenario.setup:
        looked.append("no earlier setup request captures it")
    if scenario.feed:
        looked.append(f"{scenario.feed.file.name} has no such column")
    if without.vars:
        looked.append(f"target '{without.name}' has no such var")
    return f"{holds}: {', '.join(looked)}{did_you_mean(name, list(owners))}"


def _check_owner(name: str, owner: Owner, request: BaseRequest) -> None:
    """Raise ValueError if a setup request is sent before there is such a value."""
    if not isinstance(request, SetupRequest) or OWNERS.index(owner) <= OWNERS.index(request.per):
        return
    if owner == "request":
        raise ValueError(
            f"'{request.label}' holds {{{name}}}, of a feed whose rows are for requests of the"
            ' load: use a feed with per = "user"'
        )
    raise ValueError(
        f"'{request.label}' is sent once for all users and holds {{{name}}}, which each user has"
        ' another of: set per = "user"'
    )


def _check_vars(target: "Target", requests: Sequence[BaseRequest]) -> None:
    for request in requests:
        try:
            request.with_vars(target.vars)
        except ValueError as error:
            where = f"'{request.label}' with the vars of target '{target.name}'"
            raise ValueError(f"{where}: {error}") from None
