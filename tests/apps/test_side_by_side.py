"""docs/side-by-side.md shows the apps as they are."""

import ast

import pytest

from tools.side_by_side import page
from tools.side_by_side.patterns import Pattern


def test_page_is_current() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run `make docs`"


def test_both_columns_are_whole_files() -> None:
    rows = page._file("posts.py").split("```text\n")[1].split("\n```")[0].splitlines()[2:]
    for column, folder in ((0, page.SYNC), (page.WIDTH + 3, page.ASYNC)):
        shown = "\n".join(row[column : column + page.WIDTH].rstrip() for row in rows)
        source = (folder / "posts.py").read_text(encoding="utf-8")
        assert ast.dump(ast.parse(shown)) == ast.dump(ast.parse(source))


def test_lines_of_the_apps_fit_into_a_column() -> None:
    for folder in (page.SYNC, page.ASYNC):
        for path in folder.glob("*.py"):
            for line in path.read_text(encoding="utf-8").splitlines():
                assert len(line) <= page.WIDTH, (path, line)


def test_pattern_without_example_is_rejected() -> None:
    with pytest.raises(LookupError, match="has no 'gone'"):
        page._pattern(Pattern("x", (("posts.py", "gone"),), "y"))
