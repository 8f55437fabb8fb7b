"""Comparison of a target with its baseline: aspects, volatile values, and all differences."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from twinbench.measure.postgres import uses_postgres
from twinbench.plan import Aspect, Target
from twinbench.preflight.collect import OF_THE_BYTES, Key, Observation
from twinbench.preflight.findings import Difference
from twinbench.preflight.result import DeclaredDifference, PreflightPair
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
# Headers that say what the bytes are: a length, a digest, a validator (RFC 9110, 8 and 9530).
OF_BYTES = {
    *("content-length", "content-md5", "digest", "content-digest", "repr-digest"),
    *("etag", "last-modified"),
}
# A random truth value is then the same at all starts of one pair in a hundred.
MAX_STARTS = 5
# Headers that are the server's own, and no work of the app: who it is, whether it keeps the
# connection, and how it frames the bytes, which are compared.
SERVER = "server: "
SERVER_HEADERS = (
    *(SERVER, "connection: ", "keep-alive: ", "transfer-encoding: "),
    f"content-length: {OF_THE_BYTES}",
)
MASKED = "~ and 9 stand for what changes at every start."
SURVIVES = "If that is because data survives: {scratch} in env stands for a fresh folder."
MAX_WIDTH = 120  # longer lines of a diff are cut into pieces, so that the difference is in one
CONTEXT_LINES = 2
# A table may have a million rows; what follows the first difference explains little.
COMPARED_LINES, MAX_LINES = 400, 12

# Starts a target again, for the second time or a later one.
Restart = Callable[[str, int], Observation]


class Compared(NamedTuple):
    """What was compared of two targets, and in what they differ."""

    pair: PreflightPair
    differences: list[Difference]


def compare(
    one: Observation,
    other: Observation,
    restart: Restart,
    declared: Sequence[DeclaredDifference] = (),
    starts: int = MAX_STARTS,
) -> Compared:
    """Compare the baseline `one` with `other`, except in what is `declared`.

    Both are started again only if something differs, until there were `starts`.
    """
    of_server = SERVER_HEADERS if _server_of(one) != _server_of(other) else ()
    unequal_bytes = {key.where for key in _unequal(one, other) if key.aspect == "bytes"}

    def start(name: str, number: int) -> Observation:
        return _with_compared_headers(restart(name, number), of_server, unequal_bytes)

    one, other = (_with_compared_headers(each, of_server, unequal_bytes) for each in (one, other))
    of_target = {each.aspect for each in declared if not each.scenario}
    missing = {a: why for a, why in _not_comparable(one, other).items() if a not in of_target}
    skipped = {(each.aspect, each.scenario) for each in declared}
    keys = [
        key
        for key in _unequal(one, other)
        if key.aspect not in missing
        and not skipped & {(key.aspect, ""), (key.aspect, key.scenario)}
    ]
    volatile, differences = _tell_apart(keys, one, other, start, starts) if keys else (0, [])
    partly = {a: why for a, why in _partly_compared(one, other).items() if a not in of_target}
    pair = PreflightPair(
        baseline=one.target.name,
        candidate=other.target.name,
        requests=one.requests,
        missing=partly | missing,
        declared=_with_variables(declared, _unequal_variables(one.target, other.target)),
        volatile=volatile,
        conditions=_conditions(one, other),
    )
    return Compared(pair, [*differences, *_differences_of_plan(one, other, of_target)])


def _server_of(observation: Observation) -> str:
    """Return the server and its options; where the plan does not say it, as it names itself."""
    if known := _server_condition(observation.target):
        return known
    headers = (text for key, text in observation.facts.items() if key.aspect == "headers")
    lines = next(headers, "").splitlines()
    return next((line.removeprefix(SERVER) for line in lines if line.startswith(SERVER)), "")


def _with_compared_headers(
    observation: Observation, left_out: tuple[str, ...], unequal_bytes: set[str]
) -> Observation:
    """Return an observation without the headers that begin with one of `left_out`.

    Nor what headers say of the bytes where those are unequal: that there is such a header counts.
    """
    changed = {}
    for key, text in observation.facts.items():
        if key.aspect == "headers":
            lines = [line for line in text.split("\n") if not line.startswith(left_out)]
            if key.where in unequal_bytes:
                lines = [*map(_without_value, lines)]
            changed[key] = "\n".join(lines)
    return replace(observation, facts={**observation.facts, **changed})


def _not_comparable(one: Observation, other: Observation) -> dict[Aspect, str]:
    """Return the aspects in which two targets cannot be compared, with the reasons."""
    found: dict[Aspect, str] = {}
    if without := [
        each.target.name
        for each in (one, other)
        if all(key.aspect != "OpenAPI" for key in each.facts)
    ]:
        found["OpenAPI"] = f"no /openapi.json of {' and '.join(without)}"
    if running := next((each for each in (one, other) if each.target.url), None):
        found["environment"] = _opaque_reason(running)
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
    if names := sorted({*_unread_databases(one), *_unread_databases(other)}):
        found["final database"] = f"{', '.join(names)}: only SQLite files and {{postgres}} are read"
    elif not any(
        work.sqlite_files or "final database" in work.unobserved or uses_postgres(each.target)
        for each, work in zip((one, other), works, strict=True)
    ):
        found["final database"] = "no database was used"
    return found


def _unread_databases(observation: Observation) -> set[str]:
    """Return the kinds of databases whose final state was not read."""
    found = set(observation.work.other_databases if observation.work else ())
    return found - {"postgresql"} if uses_postgres(observation.target) else found


def _opaque_reason(observation: Observation) -> str:
    target = observation.target
    what = f"has {target.workers} workers"
    if target.server_name != "uvicorn":
        ways = {target.server_name: f"is served by {target.server_name}", "": "is a command"}
        what = "was running before" if target.url else ways[target.server_name]
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
    servers = [_server_condition(each.target) for each in (one, other)]
    names_of_both = dict.fromkeys(each or "not known" for each in servers)
    shown = {"server": " | ".join(names_of_both)} if any(servers) else {}
    return shown | {
        name: " | ".join(dict.fromkeys(_condition(each, name) for each in (one, other)))
        for name in dict.fromkeys(names)
    }


def _server_condition(target: Target) -> str:
    options = ", ".join(f"{name} = {value}" for name, value in target.all_server_options.items())
    return f"{target.server_name} ({options})" if options else target.server_name


def _condition(observation: Observation, name: str) -> str:
    return observation.work.conditions.get(name, "none") if observation.work else "not observed"


def _unequal(one: Observation, other: Observation) -> list[Key]:
    """Return the places and aspects in which two targets are unequal at first sight.

    What one was not asked, because of a problem, is no difference.
    """
    keys = dict.fromkeys([*one.facts, *other.facts])
    if one.problems or other.problems:
        keys = {key: None for key in keys if key in one.facts and key in other.facts}
    return [key for key in keys if one.facts.get(key) != other.facts.get(key)]


def _without_value(header: str) -> str:
    name = header.partition(":")[0]
    return f"{name}: {OF_THE_BYTES}" if name in OF_BYTES else header


def _differences_of_plan(
    one: Observation, other: Observation, declared: set[Aspect]
) -> Iterator[Difference]:
    """Yield the differences that the plan itself makes, unless they are `declared`."""
    variables = _unequal_variables(one.target, other.target)
    lines = "\n".join(f"{name} is set differently" for name in variables)
    found: dict[Aspect, str] = {"environment": lines, "settings": _unequal_options(one, other)}
    for aspect, diff in found.items():
        # Other settings imply other variables.
        if diff and not declared & {aspect, "settings"}:
            names = other.target.name, one.target.name
            yield Difference(*names, aspect, "in the plan", "", diff)


def _unequal_options(one: Observation, other: Observation) -> str:
    """Return the options of the plan that differ and are observed in no server."""
    targets = one.target, other.target
    if not all(target.app for target in targets):
        return ""
    observed = one.work and other.work
    names: tuple[str, ...] = () if observed else ("workers", "limit_concurrency")
    if targets[0].server_name == targets[1].server_name:  # another one has other options
        names += ("server_options",) if observed else ("server_options", "loop", "http")
    return "\n".join(
        f"{name}: {values[0]} | {values[1]}"
        for name in names
        if (values := [getattr(target, name) for target in targets])[0] != values[1]
    )


def _unequal_variables(one: Target, other: Target) -> list[str]:
    """Return the names of the variables that differ; their values may be secret.

    The plan does not set those of a server that runs already. A path is equal if it is the same in
    each target's own folder.
    """
    if one.url or other.url:
        return []
    values, others = _variables(one), _variables(other)
    return sorted(n for n in {*values, *others} if values.get(n) != others.get(n))


def _variables(target: Target) -> dict[str, str]:
    """Return the variables of a target, its own folder in them as `.`."""
    if not (folder := target.import_from or target.cwd):
        return target.env
    own = re.compile(rf"{re.escape(str(folder))}(?![^/:])")
    return {name: own.sub(".", value) for name, value in target.env.items()}


def _with_variables(
    declared: Sequence[DeclaredDifference], variables: Sequence[str]
) -> list[DeclaredDifference]:
    """Return `declared` with the names of the variables that differ before their reason.

    Other settings imply other variables.
    """
    found = {each.aspect: each for each in declared if not each.scenario}
    reasoned = found.get("environment") or found.get("settings")
    if not variables or not reasoned:
        return list(declared)
    reason = f"{', '.join(variables)}: {reasoned.reason}"
    environment = reasoned.model_copy(update={"aspect": "environment", "reason": reason})
    return [*(each for each in declared if each.aspect != "environment"), environment]


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


def _tell_apart(
    keys: Sequence[Key], one: Observation, other: Observation, restart: Restart, starts: int
) -> tuple[int, list[Difference]]:
    """Return the number of volatile tokens in the facts `keys`, and the other differences.

    A value of few (a random truth value) may be the same at two starts by chance: while there are
    differences in no more than such values, both are started again. All use the same starts.
    """
    names = one.target.name, other.target.name
    found: list[tuple[_Fact, Differences | None]] = []
    ones, others = [one], [other]
    for start in range(2, starts + 1):
        ones.append(restart(names[0], start))
        others.append(restart(names[1], start))
        facts = [_Fact(key, names, (_texts(ones, key), _texts(others, key))) for key in keys]
        found = [(fact, fact.differences()) for fact in facts]
        if not any(_may_be_chance(fact.key, each) for fact, each in found):
            break
    volatile = sum(each.volatile for _, each in found if each and each.are_volatile)
    return volatile, [_difference(fact) for fact, each in found if not (each and each.are_volatile)]


def _texts(starts: Sequence[Observation], key: Key) -> list[str]:
    return [observation.facts.get(key, "") for observation in starts]


def _may_be_chance(key: Key, found: Differences | None) -> bool:
    """Return whether chance may explain a difference: in values, and not in structure."""
    return key.aspect in WITH_VALUES and found is not None and not found.are_volatile


def _difference(fact: _Fact) -> Difference:
    where, aspect, scenario = fact.key
    for name, texts in zip(fact.names, fact.texts, strict=True):
        if all(volatile_tokens(texts, pattern) is None for pattern in PATTERNS):
            titles = (f"{name}, first start", f"{name}, second start")
            diff = unified_diff(texts[0], texts[1], titles)
            return Difference(name, "", aspect, where, scenario, diff, SURVIVES)
    baseline, candidate = fact.names
    return Difference(candidate, baseline, aspect, where, scenario, *_masked_diff(fact))


def _masked_diff(fact: _Fact) -> tuple[str, str]:
    """Return a diff without volatile values, and a note on what stands for them."""
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
            return diff, MASKED if own or theirs else ""
    return unified_diff(one, other, titles), ""


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
