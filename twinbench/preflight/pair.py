"""A target against the baseline: in what they were compared, and the first difference."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from twinbench.findings import PreflightPair
from twinbench.plan import Aspect
from twinbench.preflight.compare import Twice, Volatile, alike, masked, split, volatile
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
            changing += _settled(
                key,
                (one.target, Twice(one.facts.get(key, ""), ones.facts.get(key, ""))),
                (other.target, Twice(other.facts.get(key, ""), others.facts.get(key, ""))),
            )
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


def _settled(key: Key, one: tuple[str, Twice], other: tuple[str, Twice]) -> int:
    """The number of volatile tokens in which the two differ, which is all. Raises UnequalError."""
    learned: list[Volatile] = []
    for name, fact in (one, other):
        if (found := volatile(fact)) is None:
            starts = (f"{name}, first start", f"{name}, second start")
            raise UnequalError(
                f"{key.where}: {key.aspect} of '{name}' differ in structure from start to start",
                key.aspect,
                f"{unified(*fact, starts)}\n{SURVIVES}",
                name,
            )
        learned.append(found)
    texts = one[1].first, other[1].first
    if (differing := alike(*texts, *learned)) is not None:
        return differing
    if len(split(texts[0]).tokens) == len(split(texts[1]).tokens):
        learned = [{**learned[0], **learned[1]}] * 2
    shown = [masked(text, found) for text, found in zip(texts, learned, strict=True)]
    diff = unified(shown[0], shown[1], (f"{one[0]}, {key.aspect}", f"{other[0]}, {key.aspect}"))
    raise UnequalError(
        f"{key.where}: unequal {key.aspect}: '{other[0]}' does not do the same work as '{one[0]}'",
        key.aspect,
        f"{diff}\n{HIDDEN}" if any(learned) else diff,
    )
