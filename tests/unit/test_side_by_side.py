"""docs/side-by-side.md is what the twins are now."""

import ast

import pytest

from twinbench.twins import side_by_side
from twinbench.twins.conversion import AWAITED, OFFLOADED, RENAMED, REWRITTEN
from twinbench.twins.patterns import PATTERNS, Pattern


def test_the_page_is_current() -> None:
    current = side_by_side.PAGE.read_text(encoding="utf-8")
    assert current == side_by_side.page(), "run `make docs`"


def test_it_names_every_rule_and_every_pattern() -> None:
    page = side_by_side.page()
    for rule in (*AWAITED, *OFFLOADED, *RENAMED, *REWRITTEN):
        assert rule in page
    for pattern in PATTERNS:
        assert f"### {pattern.title}\n" in page


def test_each_file_stands_whole_beside_its_twin() -> None:
    rows = side_by_side._file("posts.py").split("```text\n")[1].split("\n```")[0].splitlines()[2:]
    for column, folder in ((0, side_by_side.SYNC), (side_by_side.WIDTH + 3, side_by_side.ASYNC)):
        shown = "\n".join(row[column : column + side_by_side.WIDTH].rstrip() for row in rows)
        source = (folder / "posts.py").read_text(encoding="utf-8")
        assert ast.dump(ast.parse(shown)) == ast.dump(ast.parse(source))


def test_the_twins_are_narrow_enough_to_stand_beside_each_other() -> None:
    for folder in (side_by_side.SYNC, side_by_side.ASYNC):
        for path in folder.glob("*.py"):
            for line in path.read_text(encoding="utf-8").splitlines():
                assert len(line) <= side_by_side.WIDTH, (path, line)


def test_a_pattern_that_is_seen_nowhere_is_refused() -> None:
    with pytest.raises(LookupError, match="has no 'gone'"):
        side_by_side._pattern(Pattern("x", (("posts.py", "gone"),), "y"))
