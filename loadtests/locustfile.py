"""The door for plain `locust -f loadtests/locustfile.py`: the same users, Locust's own figures.

Choose the scenario on the page or with --scenario. Nothing is recorded; to compare two apps,
use twinbench.
"""

import itertools
import logging
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust import events
from locust.env import Environment

from loadtests.draw import PreparedRequest, prepare_requests
from loadtests.users import ClosedUser, ScenarioUser
from loadtests.wire import NO_ANSWER, Answer
from twinbench.exchange import ExchangeError, send_setup
from twinbench.plan import Request, SetupRequest, read_scenario, scenario_names

NS_PER_MS = 1e6
SEED = 1
# For each request that is sent before the load; a person waits for it.
SETUP_S = 10.0


@events.init_command_line_parser.add_listener
def add_scenario_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scenario",
        choices=scenario_names(),
        default="mix",
        help="the request mix that the users send",
    )


class LocustStatistics:
    """Tells Locust of each answer, as its own clients do."""

    def __init__(self, environment: Environment, requests: list[Request]) -> None:
        self._fire = environment.events.request.fire
        self._requests = requests
        self.in_flight = 0
        self.last_sign_ns = 0

    def add(self, request: int, expected: int, intended_ns: int, answer: Answer) -> bool:
        """Report one answer; True if it was a good one."""
        sent = self._requests[request]
        good = answer.status == expected
        wrong = answer.error or f"status {answer.status}, expected {expected}"
        self._fire(
            request_type=sent.method,
            name=sent.path,
            response_time=(answer.done_ns - answer.sent_ns) / NS_PER_MS,
            response_length=answer.bytes,
            exception=None if good else RuntimeError(wrong),
            context={},
        )
        return good and answer.status != NO_ANSWER


class TwinUser(ClosedUser):
    """A user of the chosen scenario."""

    host = "http://127.0.0.1:8000"
    user_ids = itertools.count()
    slots = itertools.count()
    go = Event()
    there: ClassVar[list[ScenarioUser]] = []
    # Until a scenario is chosen: nobody goes before that.
    drawn: ClassVar[Sequence[PreparedRequest]] = ((0, 0, b""),)


@events.test_start.add_listener
def choose_scenario(environment: Any, **_: Any) -> None:
    options: Any = environment.parsed_options
    table = read_scenario(options.scenario)
    requests = [Request.model_validate(item) for item in table["requests"]]
    before = [SetupRequest.model_validate(item) for item in table.get("setup", [])]
    host = environment.host or TwinUser.host
    parts = urlsplit(host)
    try:
        captures = send_setup(before, parts.hostname or "", parts.port or 80, SETUP_S, SEED)
    except ExchangeError as error:
        logging.error("%s: %s", host, error)
        environment.process_exit_code = 1
        TwinUser.go.clear()
        # Not from within its own start.
        gevent.spawn_later(0, environment.runner.quit)
        return
    TwinUser.drawn = prepare_requests(requests, host, SEED, captures)
    TwinUser.sink = LocustStatistics(environment, requests)
    TwinUser.go.set()
