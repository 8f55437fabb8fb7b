"""Comparison of a target with its baseline: aspects, volatile values, and the first difference."""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from twinbench.plan import Aspect, Target
from twinbench.preflight.collect import Key, Observation
from twinbench.preflight.result import PreflightPair
from twinbench.preflight.volatile import (
    PATTERNS,
    Differences,
    differences,
    differences_in_any_order,
    mask,
    tokenize,
    volatile_tokens,
)

# Observed inside the server only.
INSIDE: tuple[Aspect, ...] = (
    *("SQL", "commits", "final database"),
    *("upstream requests", "files", "settings"),
)
# Aspects whose texts hold values, which may be random.
WITH_VALUES: set[Aspect] = {"bytes", "headers", "SQL", "files", "final database"}
# Aspects whose lines may be in an order of their values.
IN_ANY_ORDER: set[Aspect] = {"files", "final database"}
# A random truth value is then the same at all starts of one pair in a hundred.
MAX_STARTS = 5
MASKED = "~ and 9 stand for what changes at every start."
SURVIVES = "If that is because data survives: {scratch} in env stands for a fresh folder."
MAX_WIDTH = 120  # longer lines of a diff are cut into pieces, so that the difference is in one
CONTEXT_LINES = 3
# A table may have a million rows; what follows the first difference explains little.
COMPARED_LINES, MAX_LINES = 400, 40

# Starts a target again, for the second time or a later one.
Restart = Callable[[str, int], Observation]


class DifferenceError(Exception):
    """First difference of two targets: where and in what, with a diff.

    `unstable_target` is the target that differs from itself; empty if none does.
    """

    def __init__(self, message: str, aspect: Aspect, diff: str, unstable_target: str = "") -> None:
        super().__init__(message)
        self.aspect, self.diff, self.unstable_target = aspect, diff, unstable_target


def compare(
    one: Observation,
    other: Observation,
    restart: Restart,
    expected: Mapping[Aspect, str] = MappingProxyType({}),
) -> PreflightPair:
    """Compare the baseline `one` with `other`, except in the aspects `expected` to differ.

    Both are started again only if something differs. Raises DifferenceError.
    """
    not_compared = {a: why for a, why in _not_comparable(one, other).items() if a not in expected}
    skipped = {*not_compared, *expected}
    keys = [
        key
        for key in dict.fromkeys([*one.facts, *other.facts])
        if key.aspect not in skipped and one.facts.get(key) != other.facts.get(key)
    ]
    if "settings" not in expected:
        _check_options(one, other)
    declared = {**expected, **_declared_environment(one.target, other.target, expected)}
    volatile = _count_volatile(keys, one, other, restart) if keys else 0
    partly = {a: why for a, why in _partly_compared(one, other).items() if a not in declared}
    return PreflightPair(
        baseline=one.target.name,
        candidate=other.target.name,
        requests=one.requests,
        missing=partly | not_compared,
        declared=declared,
        volatile=volatile,
        conditions=_conditions(one, other),
    )


def _not_comparable(one: Observation, other: Observation) -> dict[Aspect, str]:
    """Return the aspects in which two targets cannot be compared, with the reasons."""
    found: dict[Aspect, str] = {}
    if not any(key.aspect == "OpenAPI" for each in (one, other) for key in each.facts):
        found["OpenAPI"] = "neither serves /openapi.json"
    if one.work is None or other.work is None:
        return found | dict.fromkeys(INSIDE, _opaque_reason(one if one.work is None else other))
    works = one.work, other.work
    # What was observed of only one would be a false difference.
    found |= {**one.work.failed, **other.work.failed}
    if not any(work.uses_sqlalchemy for work in works):
        found |= dict.fromkeys(("SQL", "commits"), "neither app uses SQLAlchemy")
    styles = [" + ".join(work.param_styles) for work in works]
    if all(styles) and styles[0] != styles[1]:
        found["SQL"] = f"their drivers write parameters in different ways: {' and '.join(styles)}"
    if names := sorted({*one.work.other_databases, *other.work.other_databases}):
        found["final database"] = f"{', '.join(names)}: only SQLite files can be read"
    elif not any(work.sqlite_files for work in works):
        found["final database"] = "no SQLite file was used"
    return found


def _opaque_reason(observation: Observation) -> str:
    target = observation.target
    what = "is a command" if target.command else f"has {target.workers} workers"
    return f"'{target.name}' {what}, which cannot be observed"


def _partly_compared(one: Observation, other: Observation) -> dict[Aspect, str]:
    """Return the aspects in which two targets were not completely compared, with the reasons."""
    unobserved = [
        {**(each.work.unobserved if each.work else {}), **each.unobserved} for each in (one, other)
    ]
    return {
        aspect: "; ".join(dict.fromkeys(each[aspect] for each in unobserved if aspect in each))
        for aspect in {**unobserved[0], **unobserved[1]}
    }


def _conditions(one: Observation, other: Observation) -> dict[str, str]:
    """Return the conditions of two targets: one value, or both where they differ."""
    names = [name for each in (one, other) if each.work for name in each.work.conditions]
    return {
        name: " | ".join(dict.fromkeys(_condition(each, name) for each in (one, other)))
        for name in dict.fromkeys(names)
    }


def _condition(observation: Observation, name: str) -> str:
    return observation.work.conditions.get(name, "none") if observation.work else "not observed"


def _check_options(one: Observation, other: Observation) -> None:
    """Compare options of the plan that are observed in no server. Raises DifferenceError."""
    targets = one.target, other.target
    if (one.work and other.work) or any(target.command for target in targets):
        return
    differing = [
        f"{name}: {values[0]} | {values[1]}"
        for name in ("workers", "limit_concurrency")
        if len(set(values := [getattr(target, name) for target in targets])) > 1
    ]
    if differing:
        raise DifferenceError(
            f"unequal settings: '{targets[1].name}' does not run as '{targets[0].name}' does",
            "settings",
            "\n".join(differing),
        )


def _declared_environment(
    one: Target, other: Target, expected: Mapping[Aspect, str]
) -> dict[Aspect, str]:
    """Return the variables that differ, and the reason that is given. Raises DifferenceError."""
    names = sorted(n for n in {*one.env, *other.env} if one.env.get(n) != other.env.get(n))
    if not names:
        return {}
    if reason := expected.get("environment") or expected.get("settings"):
        return {"environment": f"{', '.join(names)}: {reason}"}
    raise DifferenceError(
        f"unequal environment: '{other.name}' does not run as '{one.name}' does",
        "environment",
        "\n".join(f"{name} is set differently" for name in names),
    )


class _Fact(NamedTuple):
    """Fact of two targets: their names, and a text for each of their starts."""

    key: Key
    names: tuple[str, str]
    texts: tuple[list[str], list[str]]

    def differences(self) -> Differences | None:
        """Return the differences in tokens; None if they differ in structure."""
        is_volatile = any(len(set(texts)) > 1 for texts in self.texts)
        in_any_order = is_volatile and self.key.aspect in IN_ANY_ORDER
        find = differences_in_any_order if in_any_order else differences
        first = None
        for pattern in PATTERNS:
            if found := find(*self.texts, pattern):
                # Larger tokens would hide a stable one.
                if found.are_volatile or found.stable:
                    return found
                first = first or found
        return first


def _count_volatile(
    keys: Sequence[Key], one: Observation, other: Observation, restart: Restart
) -> int:
    """Return the number of volatile tokens, if all facts `keys` differ in these only.

    A value of few (a random truth value) may be the same at two starts by chance: if all but such
    values are equal, both are started again. Raises DifferenceError.
    """
    names = one.target.name, other.target.name
    ones, others = [one], [other]
    for start in range(2, MAX_STARTS + 1):
        ones.append(restart(names[0], start))
        others.append(restart(names[1], start))
        facts = [_Fact(key, names, (_texts(ones, key), _texts(others, key))) for key in keys]
        found = [(fact, fact.differences()) for fact in facts]
        if all(each and each.are_volatile for _, each in found):
            return sum(each.volatile for _, each in found if each)
        certain = [fact for fact, each in found if _is_certain(fact.key, each)]
        if certain:
            raise _difference(certain[0])
    raise _difference(next(fact for fact, each in found if each and not each.are_volatile))


def _texts(starts: Sequence[Observation], key: Key) -> list[str]:
    return [observation.facts.get(key, "") for observation in starts]


def _is_certain(key: Key, found: Differences | None) -> bool:
    """Return whether no chance explains a difference: of structure, or where no values are."""
    return not found or not (found.are_volatile or key.aspect in WITH_VALUES)


def _difference(fact: _Fact) -> DifferenceError:
    where, aspect = fact.key
    for name, texts in zip(fact.names, fact.texts, strict=True):
        if all(volatile_tokens(texts, pattern) is None for pattern in PATTERNS):
            titles = (f"{name}, first start", f"{name}, second start")
            return DifferenceError(
                f"{where}: {aspect} of '{name}' differ in structure from start to start",
                aspect,
                f"{unified_diff(texts[0], texts[1], titles)}\n{SURVIVES}",
                name,
            )
    baseline, candidate = fact.names
    return DifferenceError(
        f"{where}: unequal {aspect}: '{candidate}' does not do the same work as '{baseline}'",
        aspect,
        _masked_diff(fact),
    )


def _masked_diff(fact: _Fact) -> str:
    one, other = (texts[0] for texts in fact.texts)
    titles = (f"{fact.names[0]}, {fact.key.aspect}", f"{fact.names[1]}, {fact.key.aspect}")
    for pattern in PATTERNS:
        own, theirs = (volatile_tokens(texts, pattern) for texts in fact.texts)
        if own is None or theirs is None:
            continue
        if len(tokenize(one, pattern).tokens) == len(tokenize(other, pattern).tokens):
            own = theirs = own | theirs
        diff = unified_diff(mask(one, own, pattern), mask(other, theirs, pattern), titles)
        if diff:  # all that differs may be masked where the order of lines is volatile
            return f"{diff}\n{MASKED}" if own or theirs else diff
    return unified_diff(one, other, titles)


def unified_diff(one: str, other: str, titles: tuple[str, str]) -> str:
    """Return a unified diff of two texts, of bounded length; JSON is indented."""
    lines, others = _json_lines(one), _json_lines(other)
    if lines == others or not (lines and others):
        lines, others = list(_cut_lines(one)), list(_cut_lines(other))
    same = 0
    while same < min(len(lines), len(others)) and lines[same] == others[same]:
        same += 1
    # From the first difference on: difflib takes n² steps for n lines.
    begin = max(0, same - CONTEXT_LINES)
    end = begin + COMPARED_LINES
    diff = difflib.unified_diff(
        lines[begin:end], others[begin:end], *titles, lineterm="", n=CONTEXT_LINES
    )
    shown = list(diff)
    if len(shown) > MAX_LINES:
        shown = [*shown[:MAX_LINES], f"... and {len(shown) - MAX_LINES} lines more"]
    return "\n".join(shown)


def _json_lines(text: str) -> list[str]:
    try:
        indented = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except ValueError:
        return []
    return list(_cut_lines(indented))


def _cut_lines(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        # Invisible differences are shown too: a carriage return, a space at the end.
        visible = line if line.isprintable() and line == line.rstrip() else repr(line)
        yield from (visible[n : n + MAX_WIDTH] for n in range(0, max(len(visible), 1), MAX_WIDTH))
