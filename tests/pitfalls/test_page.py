"""docs/pitfalls.md says what the tests run: its code, its messages, its links."""

from textwrap import indent

import pytest

from tests.pitfalls.page import Section, sections

EVERY = pytest.mark.parametrize("section", sections(), ids=lambda section: section.title)


@EVERY
def test_every_trap_links_to_its_test(section: Section) -> None:
    assert section.files, "no link to a file in tests/pitfalls"
    for file in section.files:
        assert file.is_file(), file


@EVERY
def test_code_on_the_page_is_code_that_runs(section: Section) -> None:
    code = "\n".join(file.read_text() for file in section.files)
    code = code.replace("  # type: ignore[unused-coroutine]", "")  # the one planted mistake
    for block in section.blocks:
        if block.language == "python":
            assert any(indent(block.text, " " * n) + "\n" in code for n in (0, 4, 8)), block.text


@EVERY
def test_messages_on_the_page_are_expected_by_a_test(section: Section) -> None:
    code = "\n".join(file.read_text() for file in section.files)
    for block in section.blocks:
        if block.language == "text":
            name = block.name.removesuffix("-2.0").removesuffix("-2.1")
            assert f'quoted("{name}"' in code or f'quoted(f"{name}-' in code, block
