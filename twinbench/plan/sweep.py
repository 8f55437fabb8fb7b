"""Sweep of a plan: a target for each combination of values of its settings."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from twinbench.models import error_text
from twinbench.plan.fields import Aspect, AtMost100, Processes
from twinbench.plan.requests import Strict, SystemText
from twinbench.plan.targets import Target, VariableName
from twinbench.text import did_you_mean

if TYPE_CHECKING:
    from twinbench.plan.models import Plan, Scenario

WORKERS = "workers"
MAX_TARGETS = 100  # of a plan
MAX_NAME, MAX_TITLE = 40, 60  # characters, as of every target
NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def _text(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('a value of a variable is a number or a text: [10, 40] or ["a", "b"]')
    return str(value)


Value = Annotated[SystemText, BeforeValidator(_text)]


@dataclass(frozen=True, slots=True)
class Combination:
    """A target that a sweep makes: the name of the one that it varies, its own, and its values."""

    of: str
    name: str
    values: Mapping[str, str]


class Sweep(Strict):
    """Settings whose values are all combined."""

    targets: Annotated[list[str], AtMost100] = Field(
        default=[], description="names of the targets that are varied; left out: all"
    )
    env: dict[VariableName, Annotated[list[Value], AtMost100]] = Field(
        default={}, description="values of variables of the environment"
    )
    workers: Annotated[list[Processes], AtMost100] | None = Field(
        default=None, description="numbers of processes"
    )

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if not self.axes:
            raise ValueError("give values: env.NAME = [...], or workers = [...]")
        if WORKERS in self.env:
            raise ValueError("env.workers is no variable but a key of the sweep: workers = [...]")
        for key, values in self.axes.items():
            if not values:
                raise ValueError(f"{key} has no values: give some, or remove it")
            value, count = Counter(values).most_common(1)[0]
            if count > 1:
                raise ValueError(f"{key} has the value {value} twice: remove one")
        return self

    @property
    def axes(self) -> dict[str, list[str]]:
        """Values by the names of the settings: variables in their order, then workers."""
        workers = None if self.workers is None else [*map(str, self.workers)]
        return self.env if workers is None else {**self.env, WORKERS: workers}

    def combinations(self) -> list[Combination]:
        """Return the targets of all combinations, in the order of targets and values."""
        return [each for target in self.targets for each in self._of(target)]

    def _of(self, target: str) -> Iterator[Combination]:
        found = list(itertools.product(*self.axes.values()))
        names = [f"{target}-{'-'.join(map(_in_name, values))}" for values in found]
        if len({*names}) < len(names) or max(map(len, names)) > MAX_NAME:
            names = [f"{target[: MAX_NAME - 4]}-{n}" for n in range(1, len(names) + 1)]
        for name, values in zip(names, found, strict=True):
            yield Combination(target, name, dict(zip(self.axes, values, strict=True)))


def with_sweep(plan: "Plan") -> "Plan":
    """Return `plan` with a target for each combination in place of each target that it varies.

    Raises ValueError where that is no plan.
    """
    if plan.sweep is None:
        return plan
    sweep = _with_targets(plan, plan.sweep)
    made: dict[str, list[Target]] = {target.name: [] for target in plan.targets}
    for each in sweep.combinations():
        made[each.of].append(_target(plan, each))
    targets = [new for old in plan.targets for new in made[old.name] or [old]]
    names = {old: [new.name for new in of] or [old] for old, of in made.items()}
    update: dict[str, object] = {
        "sweep": sweep,
        "targets": targets,
        "scenarios": [_scenario(scenario, names) for scenario in plan.scenarios],
    }
    if "schedule" not in plan.model_fields_set:
        update["schedule"] = "sequential"
    try:
        return type(plan).model_validate({**_given(plan), **update})
    except ValidationError as error:
        raise ValueError(error_text(error.errors()[0])) from None


def _given(plan: "Plan") -> dict[str, object]:
    return {key: value for key, value in plan if key in plan.model_fields_set}


def _with_targets(plan: "Plan", sweep: Sweep) -> Sweep:
    """Return `sweep` with the names of its targets. Raises ValueError if it cannot be made."""
    known = [target.name for target in plan.targets]
    for n, name in enumerate(sweep.targets):
        if name not in known:
            raise ValueError(f"targets names an unknown '{name}'{did_you_mean(name, known)}")
        if name in sweep.targets[:n]:
            raise ValueError(f"targets names '{name}' twice: remove one")
    if plan.precision:
        raise ValueError("a sweep compares no targets, so precision has no meaning: remove it")
    swept = sweep.targets or known
    count = len(swept) * math.prod(map(len, sweep.axes.values())) + len(known) - len(swept)
    if count > MAX_TARGETS:
        raise ValueError(f"{count:,} targets; a plan has at most {MAX_TARGETS}: give fewer values")
    return sweep.model_copy(update={"targets": swept})


def _target(plan: "Plan", made: Combination) -> Target:
    """Return one of the targets of a sweep. Raises ValueError."""
    old = plan.target(made.of)
    env = {key: value for key, value in made.values.items() if key != WORKERS}
    settings = ", ".join(f"{key}={value}" for key, value in made.values.items())
    expected = old.expected_differences
    if not isinstance(expected, str):
        reasons: dict[Aspect, str] = {"settings": f"a sweep: {settings}"}
        expected = reasons | (expected or {})
    changes: dict[str, object] = {
        "name": made.name,
        "title": _title(old, made, alone=len(plan.targets) == 1),
        "expected_differences": expected,
    }
    if WORKERS in made.values:
        changes["workers"] = int(made.values[WORKERS])
    if env:
        changes["env"] = old.env | env
    given = {key: value for key, value in old if key in old.model_fields_set}
    try:
        return Target.model_validate({**given, **changes})
    except ValidationError as error:
        raise ValueError(f"target '{old.name}': {error_text(error.errors()[0])}") from None


def _title(old: Target, made: Combination, *, alone: bool) -> str:
    """Return the values as a title: with short names of the variables, or alone if it is long."""
    before = "" if alone else f"{old.title or old.name}: "
    names = short_names(list(made.values))
    long = before + ", ".join(f"{names[key]}={value}" for key, value in made.values.items())
    short = before + ", ".join(made.values.values())
    return next((text for text in (long, short) if len(text) <= MAX_TITLE), made.name)


def short_names(keys: list[str]) -> dict[str, str]:
    """Return names of settings without the prefix, up to `_`, that all variables have."""
    variables = [key for key in keys if key != WORKERS]
    prefixes = {key.partition("_")[0] + "_" for key in variables if "_" in key}
    alike = len(variables) > 1 and len(prefixes) == 1 and all("_" in key for key in variables)
    prefix = prefixes.pop() if alike else ""
    return {key: key.removeprefix(prefix) or key for key in keys}


def _scenario(scenario: "Scenario", names: Mapping[str, list[str]]) -> "Scenario":
    targets = [new for old in scenario.targets for new in names[old]]
    return scenario.model_copy(update={"targets": targets})


def _in_name(value: str) -> str:
    return NOT_IN_NAMES.sub("_", value.lower()).strip("_")
