"""Findings of a preflight that refuses a plan, as text: problems, differences, what to declare."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from twinbench.plan import Aspect, Plan, Scenario, Target, differences_text
from twinbench.text import count, toml

# What matters most to whoever measures: another outcome, another result, more work, the rest.
WORST_FIRST: tuple[Aspect, ...] = (
    *("status", "bytes", "SQL", "commits", "upstream requests", "files", "final database"),
    *("headers", "OpenAPI", "settings", "environment"),
)
# Their lines hold no values: another number is another difference.
WITHOUT_VALUES: set[Aspect] = {"status", "commits", "upstream requests", "settings", "environment"}
# Of one aspect and pair: more diffs than these are seldom read, and the first explain most.
MOST_DIFFS, MOST_HEADINGS = 5, 20
MOST_PLACES = 12  # of one problem
# Accepted in a plan, so that what was pasted can be tried; a remark until it is replaced.
UNWRITTEN = "TODO: why"
UNWRITTEN_REMARK = (
    f'expected_differences of {{}}: the reason is still "{UNWRITTEN}"; write it into the plan'
)
DECLARE = "To declare them, paste these lines into the plan, and write a reason for each:"
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Problem:
    """Target that does not start, or does not respond as the plan expects.

    `subject` names the target, `place` the request, if there is one; `hint`: what may explain it.
    """

    subject: str
    what: str
    place: str = ""
    hint: str = ""
    is_plan_error: bool = False

    @property
    def whole_place(self) -> str:
        """Target and request."""
        return f"{self.subject}{', ' * bool(self.place)}{self.place}"

    @property
    def sentence(self) -> str:
        """The problem in one line."""
        return f"{self.whole_place} {self.what}{self.hint}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of `target` from `baseline` in one aspect at one place.

    Without `baseline` the target differs from itself, in structure from start to start. `scenario`
    is empty where it is none of a request. `note` is about the `diff`.
    """

    target: str
    baseline: str
    aspect: Aspect
    where: str
    scenario: str
    diff: str
    note: str = ""

    @property
    def kind(self) -> tuple[str, str, Aspect, tuple[str, ...]]:
        """Key of differences that are reported together: the changed lines.

        Numbers in values differ from request to request.
        """
        lines = self.diff.splitlines()
        named = 2 if self.diff.startswith("--- ") else 0  # the lines that name the targets
        changed = [line for line in lines[named:] if line[:1] in ("+", "-")]
        if self.aspect not in WITHOUT_VALUES:
            changed = [re.sub(r"\d+", "9", line) for line in changed]
        return self.target, self.baseline, self.aspect, tuple(changed or [self.diff])


def summary(problems: Sequence[Problem], differences: Sequence[Difference]) -> str:
    """Return the first line of a refusal."""
    parts = []
    if problems:
        parts.append(count(len(_same(problems)), "problem"))
    if differences:
        pairs = {(each.target, each.baseline) for each in differences}
        target, baseline = pairs.pop()
        between = f"between '{target}' and '{baseline}'" if baseline else f"within '{target}'"
        between = "between targets" if pairs else between
        parts.append(f"{count(len(_groups(differences)), 'difference')} {between}")
    return f"{' and '.join(parts)}; nothing was measured"


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield every problem in a line, and each other place at which it is the same."""
    for first, *others in _same(problems):
        yield first.sentence
        places = list(dict.fromkeys(each.whole_place for each in others))
        yield from (f"{INDENT}likewise {place}" for place in places[:MOST_PLACES])
        if (more := len(places) - MOST_PLACES) > 0:
            yield f"{INDENT}... and {count(more, 'request')} more"


def difference_lines(differences: Sequence[Difference]) -> Iterator[str]:
    """Yield every difference, the worst first, with a short diff of each."""
    shown: dict[tuple[str, ...], int] = {}
    notes = []
    groups = _groups(differences)
    for group in groups:
        first, of = group[0], group[0].kind[:3]
        shown[of] = number = shown.get(of, 0) + 1
        if number <= MOST_HEADINGS:
            yield _heading(group)
        if number <= MOST_DIFFS:
            yield from (INDENT + line for line in first.diff.splitlines())
            notes.append(first.note)
        if number == MOST_HEADINGS + 1:
            more = sum(each[0].kind[:3] == of for each in groups) - MOST_HEADINGS
            yield f"... and {count(more, 'more difference')} in {first.aspect}"
    yield from dict.fromkeys(filter(None, notes))


def lines_to_declare(
    plan: Plan, differences: Sequence[Difference], declared_at: Mapping[str, str]
) -> Iterator[str]:
    """Yield the lines of TOML that declare all differences, each under a comment with its table.

    They hold what is declared already, whose line they replace. `declared_at`: the names in the
    plan file of targets that are named otherwise in `plan`.
    """
    found: dict[tuple[str, str], tuple[Target | Scenario, set[Aspect]]] = {}
    for (target, aspect), scenarios in _scenarios_of(differences).items():
        for table, name in _places(plan, target, scenarios):
            of_target = table == "targets"
            place = table, declared_at.get(name, name) if of_target else name
            owner = plan.target(name) if of_target else plan.scenario(name)
            found.setdefault(place, (owner, set()))[1].add(aspect)
    for (table, name), declaration in sorted(found.items(), key=lambda e: e[0][0] != "targets"):
        yield from _declaration(table, name, *declaration)


def unwritten_reasons(plan: Plan) -> list[str]:
    """Return a remark on every target and scenario whose reasons were pasted and not written."""
    owners = {f"target '{each.name}'": each for each in plan.targets} | {
        f"scenario '{each.name}'": each for each in plan.scenarios
    }
    return [
        UNWRITTEN_REMARK.format(where)
        for where, each in owners.items()
        if UNWRITTEN in differences_text(each.expected_differences)
    ]


def _same(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Return the problems that are the same, together, each once at a place."""
    found: dict[str, dict[str, Problem]] = {}
    for problem in problems:
        found.setdefault(problem.what, {}).setdefault(problem.whole_place, problem)
    return [list(each.values()) for each in found.values()]


def _groups(differences: Iterable[Difference]) -> list[list[Difference]]:
    found: dict[object, dict[tuple[str, Aspect], Difference]] = {}
    for each in differences:
        # That of a target from itself is found again in each of its pairs.
        found.setdefault(each.kind, {}).setdefault((each.where, each.aspect), each)
    groups = [list(each.values()) for each in found.values()]
    return sorted(groups, key=lambda group: WORST_FIRST.index(group[0].aspect))


def _heading(group: Sequence[Difference]) -> str:
    first = group[0]
    what = f"{first.aspect} of '{first.target}' and '{first.baseline}'"
    if not first.baseline:
        what = f"{first.aspect} of '{first.target}' differ in structure from start to start"
    if len(group) == 1:
        return f"{what}: {first.where}"
    return f"{what}: in {count(len(group), 'request')}, first: {first.where}"


def _scenarios_of(differences: Iterable[Difference]) -> dict[tuple[str, Aspect], set[str]]:
    found: dict[tuple[str, Aspect], set[str]] = {}
    ordered = sorted(differences, key=lambda each: WORST_FIRST.index(each.aspect))
    for each in ordered:
        found.setdefault((each.target, each.aspect), set()).add(each.scenario)
    return found


def _places(plan: Plan, target: str, scenarios: set[str]) -> list[tuple[str, str]]:
    """Return the tables that declare what differs in `scenarios`: their own, if they are few."""
    own = [each.name for each in plan.scenarios if target in plan.targets_of(each)]
    if "" in scenarios or 2 * len(scenarios) > len(own):
        return [("targets", target)]
    return [("scenarios", name) for name in own if name in scenarios]


def _declaration(
    table: str, name: str, owner: Target | Scenario, aspects: set[Aspect]
) -> Iterator[str]:
    before = owner.expected_differences
    declared = dict(before) if isinstance(before, dict) else {}
    reasons = declared | dict.fromkeys((a for a in WORST_FIRST if a in aspects), UNWRITTEN)
    instead = ", in place of the line there" if declared else ""
    yield f'# under [[{table}]] name = "{name}"{instead}'
    if "status" in aspects:
        yield "# status: make it equal rather than declare it; a request that fails is other work"
    yield f"expected_differences = {toml(reasons)}"
