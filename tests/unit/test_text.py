"""Text for users: printable, of one line, with numbers and times."""

import io
import sys
from pathlib import Path

import pytest
from rich.control import Control

from tests.support import factories, runs
from twinbench import cli
from twinbench.cli.console import PrintableConsole
from twinbench.plan import cells
from twinbench.progress import RunProgress, status
from twinbench.text import MAX_CHARACTERS, UserError, did_you_mean, duration, number, printable

HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202eback\x9b1m\tend\udcff"


def test_printable_text_controls_no_terminal() -> None:
    assert (
        printable("\x1b[31mred\x1b]0;title\x07 \u202eback\x9b1m\tend\n")
        == "[31mred]0;title back1mend\n"
    )


def terminal() -> tuple[PrintableConsole, io.StringIO]:
    file = io.StringIO()
    return PrintableConsole(file=file, force_terminal=True, width=200, highlight=False), file


def assert_harmless(output: str, shown: str = "[31mred]0;title back1m") -> None:
    assert shown in output
    for mark in ("\x1b[31m", "\x1b]", "\x07", "\u202e", "\x9b", "\udcff"):
        assert mark not in output


def test_a_console_prints_no_control_characters() -> None:
    console, file = terminal()
    console.print(HOSTILE, markup=False)
    assert_harmless(file.getvalue())
    console.print("mine", style="bold")
    console.control(Control.home())
    assert "\x1b[1mmine" in file.getvalue()
    assert file.getvalue().endswith("\x1b[H")


def test_a_status_line_holds_no_control_characters() -> None:
    console, file = terminal()
    with status(console) as on_status:
        on_status(HOSTILE.replace("[", "\\["))
    assert_harmless(file.getvalue())


def test_a_progress_bar_holds_no_control_characters() -> None:
    console, file = terminal()
    of = cells(factories.plan())[0]._replace(scenario=HOSTILE.replace("[", "\\["))
    with RunProgress(console, 12, 0) as progress:
        progress.update(runs.record(of))
    assert_harmless(file.getvalue())


@pytest.mark.parametrize("command", ["check", "report"])
def test_escapes_in_a_file_name_are_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["twinbench", command, str(tmp_path / HOSTILE)])
    assert cli.main() == 2
    assert_harmless(capsys.readouterr().err, "\\x1b[31mred\\x1b]0;title\\x07 \\u202eback\\x9b1m")


def test_a_long_error_keeps_its_ends_on_one_line() -> None:
    said = str(UserError("a path: " + "\n" * 1000 + ": what is wrong"))
    assert len(said) == MAX_CHARACTERS
    assert said.startswith("a path: \\n\\n")
    assert said.endswith("\\n: what is wrong")
    assert said.isprintable()
    assert str(UserError("short")) == "short"


def test_suggestions_name_the_nearest_word_or_all() -> None:
    assert did_you_mean("setings", ["settings", "SQL"]) == "; did you mean 'settings'?"
    assert did_you_mean("x", ["settings", "SQL"]) == "; known: settings, SQL"
    assert did_you_mean("x", []) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(80, "80 s"), (120, "2 min"), (7200, "2 hours"), (385_000, "4 days")]
)
def test_durations_have_the_largest_fitting_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_have_three_digits_or_all_before_the_point() -> None:
    assert [number(value) for value in (0.12345, 12.345, 1234.5)] == ["0.123", "12.3", "1,234"]
