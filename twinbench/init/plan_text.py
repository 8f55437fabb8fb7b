"""Text of a first plan: what is measured, for how long, and what was left out and why."""

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twinbench.init.openapi import PREFIX
from twinbench.init.routes import Capture, LeftOut, WorkingRoute
from twinbench.init.targets import TargetDraft
from twinbench.plan import Plan
from twinbench.plan.duration import estimated_s
from twinbench.text import toml

BLOCKS = 6  # one more than the fewest with intervals that show something
# One user: the response time at rest; 8 and 32: a busy server; 128: more than AnyIO's 40 threads,
# and than any usual pool of connections.
LOADS = (1, 8, 32, 128)
# The longest is as by default; a shorter one still holds hundreds of responses of a usual route.
WINDOWS_S = (3.0, 2.0, 1.5, 1.0)
MAX_SCENARIOS = 6
# Of versions of one app: decisions allow for chance over all rows, so there are few.
LOADS_OF_VERSIONS, SCENARIOS_OF_VERSIONS, TIME_OF_VERSIONS = (1, 8), 3, "10m"
MAX_RUN_S = 600.0  # of a run that a user waits for
# As the preflight asks for: a response takes less than half of collapse_s; and as much again, since
# the same response was measured once.
COLLAPSE_S, RESPONSES_IN_COLLAPSE = 2.0, 4
RESPONSES_IN_WINDOW = 5  # of one user; fewer give no throughput
MAX_LISTED = 12  # left-out routes in a comment
MAX_TITLE = 60


@dataclass(frozen=True, slots=True)
class ScenarioDraft:
    """Scenario of the plan: a route, or a locustfile."""

    name: str
    title: str = ""
    path: str = ""
    status: int = 200
    captures: tuple[Capture, ...] = ()
    locustfile: Path | None = None
    slowest_s: float = 0.0

    @property
    def least_window_s(self) -> float:
        """The shortest window that holds enough of its responses."""
        return round(RESPONSES_IN_WINDOW * self.slowest_s, 1)


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """All that the text of a plan says; `unused`: working routes beyond the scenarios."""

    name: str
    targets: Sequence[TargetDraft]
    scenarios: Sequence[ScenarioDraft]
    measure_s: float = WINDOWS_S[0]
    unused: Sequence[str] = ()
    left_out: Sequence[LeftOut] = ()
    writing: Sequence[str] = ()
    token_path: str = ""

    @property
    def is_of_versions(self) -> bool:
        """Whether there is one app, whose versions are compared."""
        return len(self.targets) == 1

    @property
    def loads(self) -> tuple[int, ...]:
        """Users of each scenario."""
        return LOADS_OF_VERSIONS if self.is_of_versions else LOADS

    @property
    def only_reads(self) -> bool:
        """Whether all requests are GETs, so that scenarios can share the servers of a block."""
        return not any(scenario.locustfile for scenario in self.scenarios)

    @property
    def collapse_s(self) -> float:
        """Longer than by default if a response is slow."""
        slowest_s = max(scenario.slowest_s for scenario in self.scenarios)
        return max(COLLAPSE_S, math.ceil(RESPONSES_IN_COLLAPSE * slowest_s))

    def window_s(self, scenario: ScenarioDraft) -> float:
        """Return the seconds of each measurement of `scenario`."""
        return max(self.measure_s, scenario.least_window_s)

    def takes_s(self, start_s: float) -> float:
        """Return how long its measurements take; `start_s`: for the start of a server."""
        plan = Plan.model_validate(
            {
                "name": "estimate",
                "blocks": BLOCKS,
                "fresh_servers": "block" if self.only_reads else "scenario",
                # What the targets are does not count.
                "targets": [{"name": target.name, "command": ["-"]} for target in self.targets],
                "scenarios": [
                    {
                        "name": scenario.name,
                        "closed": list(LOADS),
                        "measure_s": self.window_s(scenario),
                        "requests": [{"path": "/"}],
                    }
                    for scenario in self.scenarios
                ],
            }
        )
        return estimated_s(plan, start_s)


def scenarios_of(working: Sequence[WorkingRoute]) -> list[ScenarioDraft]:
    """Return a scenario for each route, named after it."""
    found: dict[str, ScenarioDraft] = {}
    for route in working:
        name = stem = scenario_name(route.route.path)
        number = 1
        while name in found:
            number += 1
            name = f"{stem[:36]}_{number}"
        found[name] = ScenarioDraft(
            name=name,
            title=route.route.label.replace(f"/{PREFIX}/", "/")[:MAX_TITLE],
            path=route.path,
            status=route.status,
            captures=route.captures,
            slowest_s=route.slowest_s,
        )
    return list(found.values())


def scenario_name(text: str) -> str:
    """Return `text` as a valid name: `/users/{user_id}` is `users_user_id`."""
    words = re.sub(r"[^a-z0-9]+", "_", text.replace(PREFIX, "").lower()).strip("_")
    return words[-40:].strip("_") or "root"


def shortened(draft: PlanDraft, start_s: float) -> PlanDraft:
    """Return `draft` with as many scenarios, then as long windows, as fit into MAX_RUN_S.

    Those of versions are fitted into their time by each run.
    """
    if draft.is_of_versions:
        return _changed(draft, SCENARIOS_OF_VERSIONS, WINDOWS_S[-1])
    for count in range(min(MAX_SCENARIOS, len(draft.scenarios)), 0, -1):
        for measure_s in WINDOWS_S:
            fitting = _changed(draft, count, measure_s)
            if fitting.takes_s(start_s) <= MAX_RUN_S:
                return fitting
    return _changed(draft, 1, WINDOWS_S[-1])


def _changed(draft: PlanDraft, count: int, measure_s: float) -> PlanDraft:
    unused = [scenario.title for scenario in draft.scenarios[count:]]
    return replace(draft, scenarios=draft.scenarios[:count], measure_s=measure_s, unused=unused)


def plan_text(draft: PlanDraft, file: Path, takes: str) -> str:
    """Return the plan as TOML for `file`: paths are relative to its folder."""
    folder = file.absolute().parent
    lines = [
        *_head(draft, takes),
        *(line for target in draft.targets for line in _target(draft, target, folder)),
        *(line for scenario in draft.scenarios for line in _scenario(draft, scenario, folder)),
        *_left_out(draft),
        "",
        "# Next:",
        *(f"#   {command}" for command in next_commands(draft, file)),
    ]
    return "\n".join(lines) + "\n"


def next_commands(draft: PlanDraft, file: Path) -> list[str]:
    """Return the commands that follow `init`."""
    if draft.is_of_versions:
        return [f"twinbench compare --base HEAD {file}", f"twinbench compare --git v1..v2 {file}"]
    return [f"twinbench check {file}", f"twinbench run {file}"]


def _head(draft: PlanDraft, takes: str) -> Iterator[str]:
    yield f"# Written by `twinbench init`. A run of it takes {takes}."
    yield f"name = {toml(draft.name)}"
    if draft.is_of_versions:
        yield f'time = "{TIME_OF_VERSIONS}"  # repetitions and seconds are chosen to fit'
    else:
        yield '# Or, in place of blocks and measure_s, the time of a run: time = "10m"'
        yield f"blocks = {BLOCKS}  # repetitions; fewer than 5 can hardly show any difference"
        yield f"measure_s = {draft.measure_s}  # seconds of each target, load and block"
    if draft.only_reads:
        yield 'fresh_servers = "block"  # or "scenario", if a route changes what others respond'
    if draft.collapse_s > COLLAPSE_S:
        yield f"collapse_s = {draft.collapse_s:g}  # a slow response is no collapse"


def _target(draft: PlanDraft, target: TargetDraft, folder: Path) -> Iterator[str]:
    is_baseline = target is draft.targets[0] and not draft.is_of_versions
    yield from ("", "[[targets]]  # the baseline" if is_baseline else "[[targets]]")
    yield f"name = {toml(target.name)}"
    for key, value in target.table.items():
        shown = os.path.relpath(value, folder) if isinstance(value, Path) else value
        is_imported = key == "cwd" and "app" in target.table
        note = "  # imported from there, and run there" if is_imported else ""
        yield f"{key} = {toml(shown)}{note}"
    if "env" not in target.table and "url" not in target.table:
        yield '# env = { DATABASE_URL = "sqlite:///{scratch}/app.db" }  # fresh at every start'
    if target.prefix:
        yield f"vars = {toml({'prefix': target.prefix})}  # replaces {PREFIX} below"


def _scenario(draft: PlanDraft, scenario: ScenarioDraft, folder: Path) -> Iterator[str]:
    yield from ("", "[[scenarios]]", f"name = {toml(scenario.name)}")
    if scenario.title:
        yield f"title = {toml(scenario.title)}"
    yield f"closed = {toml(list(draft.loads))}  # users"
    if (window_s := draft.window_s(scenario)) > draft.measure_s:
        yield f"measure_s = {window_s}  # it is slow: {RESPONSES_IN_WINDOW} responses of one user"
    if scenario.locustfile:
        yield f"locustfile = {toml(os.path.relpath(scenario.locustfile.absolute(), folder))}"
        return
    if scenario.captures:
        yield f"setup = {toml(_setup(scenario.captures))}"
    request: dict[str, Any] = {"path": scenario.path}
    if scenario.status != 200:
        request["expect"] = scenario.status
    yield f"requests = [{toml(request)}]"


def _setup(captures: Sequence[Capture]) -> list[dict[str, Any]]:
    return [{"path": each.path, "capture": {each.name: each.value_path}} for each in captures]


def _left_out(draft: PlanDraft) -> Iterator[str]:
    login = [each.label for each in draft.left_out if each.kind == "login"]
    other = [f"{each.label}: {each.why}" for each in draft.left_out if each.kind == "other"]
    yield from _listed("These respond as well; a scenario each, as above:", draft.unused)
    yield from _listed("Left out:", other)
    yield from _listed("Not tried, since they may change data:", draft.writing)
    yield from _listed("These need a login:", login)
    if login:
        yield from _login_example(login[0], draft)


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield from ("", f"# {title}")
        yield from (f"#   {comment(item)}" for item in items[:MAX_LISTED])
        if len(items) > MAX_LISTED:
            yield f"#   and {len(items) - MAX_LISTED} more"


def _login_example(label: str, draft: PlanDraft) -> Iterator[str]:
    """Yield a scenario with a login, to be completed by the user."""
    path = label.partition(" ")[2]
    request = {"path": path, "headers": {"Authorization": "Bearer {token}"}}
    yield "# To measure them, log in before the load, with a user that every fresh server knows:"
    for line in (
        "[[scenarios]]",
        f"name = {toml(scenario_name(path))}",
        f"closed = {toml(list(draft.loads))}",
        f"requests = [{toml(request)}]",
        "[[scenarios.setup]]",
        'method = "POST"',
        f"path = {toml(draft.token_path or '/token')}",
        'form = { username = "me@example.com", password = "my-password" }',
        'capture = { token = "access_token" }  # a dotted path into the JSON response',
    ):
        yield f"# {line}"


def comment(text: str) -> str:
    """Return `text` so that it stays in its line of a comment."""
    return "".join(c if c.isprintable() else "?" for c in text)
