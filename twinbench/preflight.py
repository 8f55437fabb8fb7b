"""Before anything is measured: every target starts, and answers every request as expected.

A plan that would fail in its last scenario is refused in its first seconds.
"""

import http.client
import random
import socket
import time
from collections.abc import Callable

from twinbench.measure.rig import Rig
from twinbench.measure.server import HOST, Server, ServerFailedError
from twinbench.plan import Plan, PlanError, Request, Target, render

# The answer to one request, alone, must come within this share of collapse_s: otherwise an
# honest but slow server would be taken for a collapsed one.
SLOWEST_SHARE = 0.5


class PreflightError(Exception):
    """Why nothing was measured: one sentence."""


def check(plan: Plan, plan_file: str, rig: Rig, tell: Callable[[str], None]) -> None:
    """Start each target once and send it each request once.

    Raises PlanError where the plan names what is not there, PreflightError where a target does
    not start or does not answer as the plan expects.
    """
    for number, target in enumerate(plan.targets):
        tell(f"checking target '{target.name}'")
        where = f"{plan_file}: targets[{number}]"
        try:
            server = rig.start(target)
        except ServerFailedError as error:
            if error.names_nothing:
                raise PlanError(f"{where}.app = '{target.app}': {error}") from None
            raise PreflightError(f"{where}: {error}") from None
        try:
            _check_requests(plan, target, server, where)
        finally:
            server.stop(at_once=True)


def _check_requests(plan: Plan, target: Target, server: Server, where: str) -> None:
    for scenario in plan.scenarios:
        if target.name not in plan.targets_of(scenario):
            continue
        for request in scenario.requests:
            began = time.monotonic()
            said = _send(request, server.port, plan.collapse_s)
            took_s = time.monotonic() - began
            what = f"{where}: '{target.name}', scenario '{scenario.name}': {request.label}"
            if said != request.expect:
                last = server.child.last_output()
                raise PreflightError(
                    f"{what} was answered with {said}, the plan expects {request.expect};"
                    f" the server's last output: {last}"
                )
            if took_s > SLOWEST_SHARE * plan.collapse_s:
                raise PreflightError(
                    f"{what} took {took_s:.1f} s, too near to collapse_s = {plan.collapse_s:g}:"
                    f" set collapse_s = {2 * took_s / SLOWEST_SHARE:.0f} in the plan"
                )


def _send(request: Request, port: int, collapse_s: float) -> int | str:
    """The status of the answer, or what came instead."""
    payload = render(request, f"{HOST}:{port}", random.Random(0)).whole
    try:
        with socket.create_connection((HOST, port), timeout=5 * collapse_s) as connection:
            connection.sendall(payload)
            answer = http.client.HTTPResponse(connection, method=request.method)
            answer.begin()
            answer.read()
            return answer.status
    except TimeoutError:
        return f"nothing within {5 * collapse_s:g} s"
    except (OSError, http.client.HTTPException) as error:
        said = " ".join(str(error).split())
        return f"no HTTP answer ({said or type(error).__name__})"
