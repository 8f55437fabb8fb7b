"""Text of a refusal: what is grouped, what is left out, and what to declare."""

import tomllib
from typing import Any

import pytest

from tests.support import factories
from twinbench.plan import ASPECTS, Aspect, Plan
from twinbench.preflight.findings import (
    MOST_DIFFS,
    MOST_HEADINGS,
    MOST_PLACES,
    UNWRITTEN,
    WORST_FIRST,
    Difference,
    Problem,
    difference_lines,
    lines_to_declare,
    problem_lines,
    summary,
    unwritten_reasons,
)

DIFF = "--- sync, {0}\n+++ async, {0}\n@@ -1 +1 @@\n{1}"


def difference(aspect: Aspect, changed: str = "-a\n+b", n: int = 0, **changes: Any) -> Difference:
    values = {
        "target": "async",
        "baseline": "sync",
        "aspect": aspect,
        "where": f"GET /{n}",
        "scenario": "noop",
        "diff": DIFF.format(aspect, changed),
    }
    return Difference(**values | changes)


def headings(*differences: Difference) -> list[str]:
    return [line for line in difference_lines(differences) if not line.startswith(" ")]


def plan(*scenarios: str, **target: object) -> Plan:
    return factories.plan(
        targets=[{"name": "sync", "app": "a:app"}, {"name": "async", "app": "b:app", **target}],
        scenarios=[factories.scenario(name=name, closed=[1]) for name in scenarios],
    )


def declared(of: Plan, *differences: Difference) -> dict[str, dict[str, str]]:
    """Return the aspects that are declared, by the table that the comment before them names."""
    found: dict[str, dict[str, str]] = {}
    for line in lines_to_declare(of, differences, {}):
        if line.startswith("# under "):
            where = line.removeprefix("# under ")
        elif not line.startswith("#"):
            found[where] = tomllib.loads(line)["expected_differences"]
    return found


def test_every_aspect_has_its_place_in_the_order() -> None:
    assert sorted(WORST_FIRST) == sorted(ASPECTS)


def test_the_worst_difference_is_told_first() -> None:
    found = [difference(aspect) for aspect in reversed(WORST_FIRST)]
    aspects = [heading.partition(" of ")[0] for heading in headings(*found)]
    assert aspects == list(WORST_FIRST)


@pytest.mark.parametrize(
    ("aspect", "changed", "groups"),
    [
        ("bytes", ["-id: 1\n+id: 2", "-id: 3\n+id: 14"], 1),
        ("bytes", ["-id: 1\n+id: 2", "-id: 1\n+name: 2"], 2),
        ("bytes", ["-a\n+b\n c", "-a\n+b\n d"], 1),
        # Another status is another difference.
        ("status", ["-200\n+404", "-200\n+500"], 2),
    ],
)
def test_equal_differences_are_grouped(aspect: Aspect, changed: list[str], groups: int) -> None:
    found = [difference(aspect, each, n) for n, each in enumerate(changed)]
    assert len(headings(*found)) == groups
    assert ("in 2 requests, first: GET /0" in headings(*found)[0]) == (groups == 1)


def test_many_differences_are_bounded() -> None:
    names = [f"-{'x' * n}\n+y" for n in range(MOST_HEADINGS + 7)]
    lines = list(difference_lines([difference("SQL", each, n) for n, each in enumerate(names)]))
    assert sum(line.startswith("  --- ") for line in lines) == MOST_DIFFS
    assert sum(line.startswith("SQL of ") for line in lines) == MOST_HEADINGS
    assert lines[-1] == "... and 7 more differences in SQL"


def test_a_target_that_differs_from_itself_is_told_once() -> None:
    unstable = difference("bytes", target="sync", baseline="", note="a hint")
    lines = list(difference_lines([unstable, unstable]))
    assert lines[0] == "bytes of 'sync' differ in structure from start to start: GET /0"
    assert lines.count("a hint") == 1
    assert summary([], [unstable, unstable]).startswith("1 difference within 'sync'")
    assert list(declared(plan("noop"), unstable)) == ['[[targets]] name = "sync"']


def test_the_summary_counts_groups() -> None:
    one, other = difference("bytes"), difference("bytes", target="third")
    problem = Problem("'sync'", "is lost", "GET /")
    assert summary([], [one, one]) == (
        "1 difference between 'async' and 'sync'; nothing was measured"
    )
    assert summary([problem] * 2, [one, other]) == (
        "1 problem and 2 differences between targets; nothing was measured"
    )


def test_the_same_problem_is_told_once_with_its_places() -> None:
    draws = [Problem("'a'", "is lost", "GET /1")] * 3
    places = [Problem("'a'", "is lost", f"GET /{n}") for n in range(2, MOST_PLACES + 5)]
    first, *others = problem_lines([*draws, Problem("'b'", "is late"), *places])
    assert first == "'a', GET /1 is lost"
    assert others[0] == "  likewise 'a', GET /2"
    assert others[MOST_PLACES:] == ["  ... and 3 requests more", "'b' is late"]


A_TARGET, READ, WRITE = (
    *('[[targets]] name = "async"', '[[scenarios]] name = "read"'),
    '[[scenarios]] name = "write"',
)


@pytest.mark.parametrize(
    ("differing", "where"),
    [
        # Of one scenario of several: there. Of most, or none of a request: at the target.
        ([("bytes", "read")], {READ: ["bytes"]}),
        ([("bytes", "read"), ("SQL", "write")], {READ: ["bytes"], WRITE: ["SQL"]}),
        ([("bytes", "read"), ("bytes", "write")], {A_TARGET: ["bytes"]}),
        ([("files", ""), ("files", "read")], {A_TARGET: ["files"]}),
        (
            [("final database", ""), ("status", "read")],
            {A_TARGET: ["final database"], READ: ["status"]},
        ),
    ],
)
def test_a_difference_is_declared_where_it_is(
    differing: list[tuple[Aspect, str]], where: dict[str, list[str]]
) -> None:
    found = [difference(aspect, scenario=scenario) for aspect, scenario in differing]
    of = plan("read", "write", "third")
    assert {name: list(aspects) for name, aspects in declared(of, *found).items()} == where


def test_what_is_declared_already_is_kept() -> None:
    reason = 'a "larger" pool \\ more\x7f'
    of = plan("noop", expected_differences={"settings": reason})
    found = declared(of, difference("bytes"), difference("final database"))
    assert found == {
        f"{A_TARGET}, in place of the line there": {
            "settings": reason,
            "bytes": UNWRITTEN,
            "final database": UNWRITTEN,
        }
    }


def test_targets_of_one_table_are_declared_together() -> None:
    found = [difference("bytes"), difference("final database", target="sync", baseline="")]
    at = {"sync": "shop", "async": "shop"}
    where, line = lines_to_declare(plan("noop"), found, at)
    assert where == '# under [[targets]] name = "shop"'
    assert set(tomllib.loads(line)["expected_differences"]) == {"bytes", "final database"}


def test_a_status_is_not_declared_without_a_word() -> None:
    comments = [
        [
            line
            for line in lines_to_declare(plan("noop"), [difference(aspect)], {})
            if line[0] == "#"
        ]
        for aspect in ("bytes", "status")
    ]
    assert [len(each) for each in comments] == [1, 2]


def test_reasons_that_nobody_wrote_are_remarked() -> None:
    of = plan("noop", expected_differences={"SQL": UNWRITTEN})
    [remark] = unwritten_reasons(of)
    assert "target 'async'" in remark
    assert unwritten_reasons(plan("noop", expected_differences="on purpose")) == []
