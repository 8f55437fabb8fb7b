"""Locustfile for trying a scenario by hand: `locust -f loadtests/locustfile.py`.

The same users as in a run, with Locust's own statistics. Choose the scenario on the page or with
--scenario. Nothing is recorded; to compare two apps, use twinbench.
"""

import itertools
import logging
from argparse import ArgumentParser
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust import events
from locust.env import Environment

from twinbench.exchange import ExchangeError, send_setup
from twinbench.load.connection import NO_RESPONSE, TimedResponse
from twinbench.load.requests import START_STEP, PreparedRequests, prepare_requests
from twinbench.load.users import ClosedUser, ScenarioUser
from twinbench.plan import Request, Scenario, read_scenario, scenario_names

NS_PER_MS = 1e6
SEED = 1
SETUP_TIMEOUT_S = 10.0  # for each setup request


@events.init_command_line_parser.add_listener
def add_scenario_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scenario",
        choices=scenario_names(),
        default="mix",
        help="the request mix that the users send",
    )


class LocustStatistics:
    """Sink that reports each response to Locust, as its own clients do."""

    def __init__(self, environment: Environment, requests: list[Request]) -> None:
        self._fire = environment.events.request.fire
        self._requests = requests
        self.in_flight = 0
        self.last_activity_ns = 0

    def add(self, request: int, expected: int, intended_ns: int, response: TimedResponse) -> bool:
        """Report one response; return whether it is right."""
        sent = self._requests[request]
        good = response.status == expected
        error = response.error or f"status {response.status}, expected {expected}"
        self._fire(
            request_type=sent.method,
            name=sent.path,
            response_time=(response.done_ns - response.sent_ns) / NS_PER_MS,
            response_length=response.bytes,
            exception=None if good else RuntimeError(error),
            context={},
        )
        return good and response.status != NO_RESPONSE


class LocustUser(ClosedUser):
    """User of the chosen scenario."""

    host = "http://127.0.0.1:8000"
    user_ids = itertools.count()
    slots = itertools.count()
    start_event = Event()
    active_users: ClassVar[list[ScenarioUser]] = []
    # Replaced when a scenario is chosen, before `start_event` is set.
    requests: ClassVar[PreparedRequests] = PreparedRequests(((0, 0, b""),))


@events.test_start.add_listener
def choose_scenario(environment: Any, **_: Any) -> None:
    """Send the setup of the chosen scenario, and let the users start."""
    options: Any = environment.parsed_options
    table = {"name": options.scenario, "closed": [1]} | read_scenario(options.scenario)
    scenario = Scenario.model_validate(table)
    host = environment.host or LocustUser.host
    parts = urlsplit(host)
    try:
        if scenario.feed or scenario.identities:
            raise ExchangeError("its users have values of their own, which only a run sends")
        values = send_setup(scenario, parts.hostname or "", parts.port or 80, SETUP_TIMEOUT_S, SEED)
    except ExchangeError as error:
        logging.error("%s: %s", host, error)
        environment.process_exit_code = 1
        LocustUser.start_event.clear()
        # The runner cannot quit while it starts.
        gevent.spawn_later(0, environment.runner.quit)
        return
    LocustUser.requests = PreparedRequests(
        prepare_requests(scenario.requests, host, SEED, values.server, sequence=scenario.sequence),
        step=START_STEP * scenario.cycle,
    )
    LocustUser.sink = LocustStatistics(environment, scenario.requests)
    LocustUser.start_event.set()
