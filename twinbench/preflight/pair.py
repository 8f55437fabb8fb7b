"""A target against the baseline: in what they were compared, and the first difference."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from twinbench.plan import ASPECTS, Aspect
from twinbench.preflight.compare import Twice, Volatile, alike, masked, split, volatile
from twinbench.preflight.diff import unified
from twinbench.preflight.facts import Key, Seen, not_comparable

# Starts a target again and sees the same.
Again = Callable[[str], Seen]


@dataclass(frozen=True, slots=True)
class Pair:
    """What came of one comparison; without `differs` and with no difference they are equal, but
    for so many `volatile` values. `missing`: what was not compared, and why."""

    baseline: str
    candidate: str
    requests: int
    differs: str = ""
    missing: Mapping[Aspect, str] = field(default_factory=dict)
    volatile: int = 0

    @property
    def sentence(self) -> str:
        who = f"{self.candidate} against {self.baseline}"
        if self.differs:
            return f"{who}: not compared, meant to differ: {self.differs}"
        compared = [aspect for aspect in ASPECTS if aspect not in self.missing]
        said = f"{who}: {_count(self.requests, 'request')}: {', '.join(compared)}: equal"
        if self.volatile:
            said += f" but for what changes at every start ({_count(self.volatile, 'value')})"
        return ". Not compared: ".join([said, *_grouped(self.missing)])


class UnequalError(Exception):
    """The first difference: a clause about the two, the aspect, and a diff."""

    def __init__(self, clause: str, aspect: Aspect, diff: str) -> None:
        super().__init__(clause)
        self.aspect, self.diff = aspect, diff


def compare(
    one: Seen, other: Seen, again: Again, meant: Mapping[Aspect, str] = MappingProxyType({})
) -> Pair:
    """The baseline `one` against `other`, but for the aspects in which they are `meant` to
    differ; both are started `again` only if something differs. Raises UnequalError."""
    missing = not_comparable(one, other)
    missing |= {aspect: f"meant to differ: {why}" for aspect, why in meant.items()}
    unequal = [
        key
        for key in dict.fromkeys([*one.facts, *other.facts])
        if key.aspect not in missing and one.facts.get(key) != other.facts.get(key)
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
    return Pair(one.target, other.target, one.requests, missing=missing, volatile=changing)


def _settled(key: Key, one: tuple[str, Twice], other: tuple[str, Twice]) -> int:
    """The number of volatile tokens in which the two differ, which is all. Raises UnequalError."""
    learned: list[Volatile] = []
    for name, fact in (one, other):
        if (found := volatile(fact)) is None:
            starts = (f"{name}, first start", f"{name}, second start")
            raise UnequalError(
                f"'{name}' does not give the same answer twice and cannot be compared:"
                f" {key.where}: the structure of its {key.aspect} changes from start to start"
                " (if that is because data survives: {scratch} in env names a fresh folder)",
                key.aspect,
                unified(*fact, starts),
            )
        learned.append(found)
    texts = one[1].first, other[1].first
    if (differing := alike(*texts, *learned)) is not None:
        return differing
    if len(split(texts[0]).tokens) == len(split(texts[1]).tokens):
        learned = [{**learned[0], **learned[1]}] * 2
    shown = [masked(text, found) for text, found in zip(texts, learned, strict=True)]
    hidden = " (~ and 9 stand for what changes at every start)" if any(learned) else ""
    raise UnequalError(
        f"'{other[0]}' does not do the same work as '{one[0]}': {key.where}: unequal {key.aspect}"
        f"{hidden}",
        key.aspect,
        unified(shown[0], shown[1], (f"{one[0]}, {key.aspect}", f"{other[0]}, {key.aspect}")),
    )


def _grouped(missing: Mapping[Aspect, str]) -> Iterable[str]:
    """The aspects that share a reason, together; nothing if there is none."""
    by_reason: dict[str, list[str]] = {}
    for aspect, reason in missing.items():
        by_reason.setdefault(reason, []).append(aspect)
    if by_reason:
        yield "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"
