"""A target against the baseline: in what they were compared, and the first difference."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from twinbench.findings import PreflightPair
from twinbench.plan import Aspect
from twinbench.preflight.compare import (
    TOKENS,
    Differing,
    alike,
    alike_in_any_order,
    masked,
    split,
    volatile,
)
from twinbench.preflight.diff import unified
from twinbench.preflight.facts import (
    Key,
    Seen,
    conditions_of,
    not_comparable,
    not_seen,
    unequal_options,
    unequal_variables,
)

HIDDEN = "~ and 9 stand for what changes at every start."
SURVIVES = "If that is because data survives: {scratch} in env stands for a fresh folder."

# Each aspect whose text holds values, which may be random.
WITH_VALUES: set[Aspect] = {"bytes", "headers", "SQL", "files", "final database"}
# Each aspect whose lines may be in an order of their values.
IN_ANY_ORDER: set[Aspect] = {"files", "final database"}
# A random truth value is then the same at all starts in one pair of a hundred.
MOST_STARTS = 5

# Starts a target again, for the second time or a later one, and sees the same.
Again = Callable[[str, int], Seen]


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
    differ; both are started `again` only where something differs. Raises UnequalError."""
    missing = not_comparable(one, other)
    missing = {aspect: why for aspect, why in missing.items() if aspect not in meant}
    unequal = [
        key
        for key in dict.fromkeys([*one.facts, *other.facts])
        if key.aspect not in {*missing, *meant} and one.facts.get(key) != other.facts.get(key)
    ]
    if "settings" not in meant and (options := unequal_options(one, other)):
        raise UnequalError(
            f"unequal settings: '{other.target}' does not run as '{one.target}' does",
            "settings",
            "\n".join(options),
        )
    changing = _settle(unequal, one, other, again) if unequal else 0
    declared = dict(meant)
    if variables := unequal_variables(one, other):
        declared["environment"] = _variables(one, other, variables, meant)
    return PreflightPair(
        baseline=one.target,
        candidate=other.target,
        requests=one.requests,
        missing={a: why for a, why in not_seen(one, other).items() if a not in declared} | missing,
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


def _settle(unequal: Sequence[Key], one: Seen, other: Seen, again: Again) -> int:
    """The number of volatile tokens in which the two differ, which is all. Raises UnequalError.

    What has few values (a random truth value) may be the same at two starts by chance: where all
    but such values is equal, both are started again."""
    names = one.target, other.target
    starts: tuple[list[Seen], list[Seen]] = ([one], [other])
    for start in range(2, MOST_STARTS + 1):
        for seen, name in zip(starts, names, strict=True):
            seen.append(again(name, start))
        twos = [_Two(names, (_texts(starts[0], key), _texts(starts[1], key))) for key in unequal]
        found = [_differing(key, two) for key, two in zip(unequal, twos, strict=True)]
        if all(differing and differing.equal for differing in found):
            return sum(differing.volatile for differing in found if differing)
        unlike = [n for n, differing in enumerate(found) if _is_plain(unequal[n], differing)]
        if unlike:
            break
    worst = unlike or [n for n, differing in enumerate(found) if differing and not differing.equal]
    raise _unequal(unequal[worst[0]], twos[worst[0]])


def _texts(starts: Sequence[Seen], key: Key) -> list[str]:
    return [seen.facts.get(key, "") for seen in starts]


def _differing(key: Key, two: _Two) -> Differing | None:
    """The tokens in which two differ; None if they differ in more."""
    is_volatile = any(len(set(texts)) > 1 for texts in two.texts)
    in_any_order = is_volatile and key.aspect in IN_ANY_ORDER
    kind = alike_in_any_order if in_any_order else alike
    found = None
    for token in TOKENS:
        if differing := kind(*two.texts, token):
            if differing.equal or differing.steady:  # larger tokens would hide what is steady
                return differing
            found = found or differing
    return found


def _is_plain(key: Key, differing: Differing | None) -> bool:
    """Whether no chance explains a difference: it is one of structure, or of what has no values."""
    return not differing or not (differing.equal or key.aspect in WITH_VALUES)


def _unequal(key: Key, two: _Two) -> UnequalError:
    for name, texts in zip(*two, strict=True):
        if all(volatile(texts, token) is None for token in TOKENS):
            starts = (f"{name}, first start", f"{name}, second start")
            return UnequalError(
                f"{key.where}: {key.aspect} of '{name}' differ in structure from start to start",
                key.aspect,
                f"{unified(texts[0], texts[1], starts)}\n{SURVIVES}",
                name,
            )
    return UnequalError(
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
