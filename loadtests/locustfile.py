"""The door for plain `locust -f loadtests/locustfile.py`: the same users, Locust's own figures.

Choose the scenario on the page or with --scenario. Nothing is recorded; to compare two apps,
use twinbench.
"""

import itertools
from argparse import ArgumentParser
from typing import Any

from gevent.event import Event
from locust import events
from locust.env import Environment

from loadtests.users import ScenarioUser, draw
from loadtests.wire import NO_ANSWER, Answer
from twinbench.plan import Request, read_scenario, scenario_names

NS_PER_MS = 1e6


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

    def add(self, request: int, answer: Answer, expected: int) -> bool:
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


class TwinUser(ScenarioUser):
    """A user of the chosen scenario."""

    host = "http://127.0.0.1:8000"
    born = itertools.count()
    go = Event()


@events.test_start.add_listener
def choose_scenario(environment: Environment, **_: Any) -> None:
    options: Any = environment.parsed_options
    table = read_scenario(options.scenario)
    requests = [Request.model_validate(item) for item in table["requests"]]
    TwinUser.drawn = draw(requests, environment.host or TwinUser.host, seed=1)
    TwinUser.keeper = LocustStatistics(environment, requests)
    TwinUser.go.set()
