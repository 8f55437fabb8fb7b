"""A target against the baseline: in what they were compared, and the first difference."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from twinbench.findings import PreflightPair
from twinbench.plan import Aspect
from twinbench.preflight.compare import TOKENS, alike, masked, split, volatile
from twinbench.preflight.diff import unified
from twinbench.preflight.facts import (
    Key,
    Seen,
    conditions_of,
    not_comparable,
    not_seen,
    unequal_variables,
)

HIDDEN = "~ and 9 stand for what changes at every start."
SURVIVES = "If that is because data survives: {scratch} in env stands for a fresh folder."

# Starts a target again and sees the same.
Again = Callable[[str], Seen]


class UnequalError(Exception):
    """The first difference: a clause that begins with where it is, the aspect, and a diff.
    `unsteady` is the target that differs from itself; empty if none does."""

    def __init__(self, clause: str, aspect: Aspect, diff: str, unsteady: str = "") -> None:
        super().__init__(clause)
        self.aspect, self.diff, self.unsteady = aspect, diff, unsteady


def compare(
    one: Seen, other: Seen, again: Again, meant: Mapping[Aspect, str] = MappingProxyType({})
) -> PreflightPair:
    """The baseline `one` against `other`, but for the aspects in which they are `meant` to
    differ; both are started `again` only if something differs. Raises UnequalError."""
    missing = not_comparable(one, other)
    missing = {aspect: why for aspect, why in missing.items() if aspect not in meant}
    unequal = [
        key
        for key in dict.fromkeys([*one.facts, *other.facts])
        if key.aspect not in {*missing, *meant} and one.facts.get(key) != other.facts.get(key)
    ]
    changing = 0
    if unequal:
        ones, others = again(one.target), again(other.target)
        for key in unequal:
            texts = [
                [start.facts.get(key, "") for start in starts]
                for starts in ((one, ones), (other, others))
            ]
            changing += _settled(key, _Two((one.target, other.target), (texts[0], texts[1])))
    declared = dict(meant)
    if variables := unequal_variables(one, other):
        declared["environment"] = _variables(one, other, variables, meant)
    return PreflightPair(
        baseline=one.target,
        candidate=other.target,
        requests=one.requests,
        missing=missing | {a: why for a, why in not_seen(one, other).items() if a not in declared},
        declared=declared,
        volatile=changing,
        conditions=conditions_of(one, other),
    )


def _variables(
    one: Seen, other: Seen, variables: Sequence[str], meant: Mapping[Aspect, str]
) -> str:
    """The `variables` that differ, and why they are meant to. Raises UnequalError."""
    why = meant.get("environment") or meant.get("settings")
    if not why:
        raise UnequalError(
            f"unequal environment: '{other.target}' does not run as '{one.target}' does",
            "environment",
            "\n".join(f"{name} is set differently" for name in variables),
        )
    return f"{', '.join(variables)}: {why}"


class _Two(NamedTuple):
    """One fact of two targets: their names, and a text for each of their starts."""

    names: tuple[str, str]
    texts: tuple[list[str], list[str]]


def _settled(key: Key, two: _Two) -> int:
    """The number of volatile tokens in which the two differ, which is all. Raises UnequalError."""
    for token in TOKENS:
        if differing := alike(*two.texts, token):
            if not differing.steady:
                return differing.volatile
            break  # larger tokens would hide it
    for name, texts in zip(*two, strict=True):
        if all(volatile(texts, token) is None for token in TOKENS):
            starts = (f"{name}, first start", f"{name}, second start")
            raise UnequalError(
                f"{key.where}: {key.aspect} of '{name}' differ in structure from start to start",
                key.aspect,
                f"{unified(texts[0], texts[1], starts)}\n{SURVIVES}",
                name,
            )
    raise UnequalError(
        f"{key.where}: unequal {key.aspect}:"
        f" '{two.names[1]}' does not do the same work as '{two.names[0]}'",
        key.aspect,
        _diff(key, two),
    )


def _diff(key: Key, two: _Two) -> str:
    one, other = (texts[0] for texts in two.texts)
    names = (f"{two.names[0]}, {key.aspect}", f"{two.names[1]}, {key.aspect}")
    for token in TOKENS:
        own, theirs = (volatile(texts, token) for texts in two.texts)
        if own is None or theirs is None:
            continue
        if len(split(one, token).tokens) == len(split(other, token).tokens):
            own = theirs = own | theirs
        diff = unified(masked(one, own, token), masked(other, theirs, token), names)
        return f"{diff}\n{HIDDEN}" if own or theirs else diff
    return unified(one, other, names)
