"""Text for users: printable, of one line, with suggestions."""

import io
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.control import Control

from tests.support import factories, runs
from twinbench import cli
from twinbench.cli.console import PrintableConsole
from twinbench.plan import cells
from twinbench.progress import run_progress, status
from twinbench.text import (
    MAX_CHARACTERS,
    UserError,
    did_you_mean,
    parse_duration,
    parse_percent,
    toml,
)

HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202eback\x9b1m\tend\udcff"


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


def show_status(console: Console) -> None:
    with status(console) as on_status:
        on_status(HOSTILE.replace("[", "\\["))


def show_progress(console: Console) -> None:
    cell = cells(factories.plan())[0]._replace(scenario=HOSTILE.replace("[", "\\["))
    with run_progress(console, 12, 0) as on_record:
        on_record(runs.record(cell))


@pytest.mark.parametrize("show", [show_status, show_progress])
def test_status_and_progress_hold_no_control_characters(show: Callable[[Console], None]) -> None:
    console, file = terminal()
    show(console)
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
    message = str(UserError("a path: " + "\n" * 1000 + ": what is wrong"))
    assert len(message) == MAX_CHARACTERS
    assert message.startswith("a path: \\n\\n")
    assert message.endswith("\\n: what is wrong")
    assert message.isprintable()


def test_suggestions_name_the_nearest_word_or_all() -> None:
    assert did_you_mean("setings", ["settings", "SQL"]) == "; did you mean 'settings'?"
    assert did_you_mean("x", ["settings", "SQL"]) == "; known: settings, SQL"
    assert did_you_mean("x", []) == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h", 3600), (" 1.5m ", 90), ("0.5s", 0.5)],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "5 m", "1m1h", "0s", "9999h", "1e3s", "٣m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_duration(text)


def test_a_percentage_is_read() -> None:
    assert [parse_percent(text) for text in ("5%", "2.5 %", "100%")] == [0.05, 0.025, 1]
    for text in ("5", "0%", "101%", "%", "-5%", "five"):
        with pytest.raises(ValueError, match="is no percentage"):
            parse_percent(text)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | st.lists(TEXT)))
def test_values_are_written_as_toml(table: dict[str, object]) -> None:
    assert tomllib.loads(f"x = {toml(table)}") == {"x": table}
