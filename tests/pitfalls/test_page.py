"""docs/pitfalls.md contains the code and the messages of the tests that it links to."""

from textwrap import indent

import pytest

from tests.pitfalls.page import Section, sections

each_section = pytest.mark.parametrize("section", sections(), ids=lambda section: section.title)


@each_section
def test_section_is_complete_and_links_to_its_test(section: Section) -> None:
    for part in ("Symptom", "Cause", "Fix", "How to check"):
        assert section.text.count(f"**{part}.**") == 1
    assert section.files, "no link to a file in tests/pitfalls"
    for file in section.files:
        assert file.is_file(), file


@each_section
def test_code_and_messages_are_those_of_a_test(section: Section) -> None:
    code = "\n".join(file.read_text() for file in section.files)
    code = code.replace("  # type: ignore[unused-coroutine]", "")  # of pitfall 4
    for block in section.blocks:
        if block.language == "python":
            assert any(indent(block.text, " " * n) + "\n" in code for n in (0, 4, 8)), block.text
        if block.language == "text":
            name = block.name.removesuffix("-2.0").removesuffix("-2.1")
            assert f'quoted("{name}"' in code or f'quoted(f"{name}-' in code, block
