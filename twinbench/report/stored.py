"""Stored runs on one axis: compare.html, compare.json and the table in the terminal."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as TerminalTable

from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.analyse.stored import LABELS, compare_stored, labelled
from twinbench.interruption import interruptible
from twinbench.report.elements import Table
from twinbench.report.stored_view import StoredView, stored_view
from twinbench.report.terminal import MOST_ROWS
from twinbench.report.write import draw, page_html
from twinbench.store import Store, atomic_write
from twinbench.text import UserError, printable

NAME_WIDTH = 20  # least of names in the terminal, which are broken last


def compare_runs(
    folders: Sequence[Path],
    *,
    anyway: bool,
    output: Path,
    console: Console,
    on_status: Callable[[str], None],
) -> Path:
    """Compare run folders with the first; write page and JSON, print the table; return the page.

    Raises UserError, StoreError, OSError, and KeyboardInterrupt: then nothing is written.
    """
    if (output / "manifest.json").exists():
        raise UserError(f"{output}: is a run; give a folder of its own as --output")
    runs = labelled([(folder, _analysed(folder, on_status)) for folder in _checked(folders)])
    found = compare_stored(runs, anyway=anyway)
    view = stored_view(found, runs, output)
    drawn = (chart for section in view.sections for chart in section.charts)
    charts, missing = draw(drawn, on_status)
    view = replace(view, remarks=tuple(missing))
    html = page_html("stored.html.j2", view, charts)
    output.mkdir(parents=True, exist_ok=True)
    atomic_write(output / "compare.json", found.model_dump_json(indent=1))
    atomic_write(output / "compare.html", html)
    show_stored(view, output / "compare.html", console)
    return output / "compare.html"


def _checked(folders: Sequence[Path]) -> list[Path]:
    """Return the folders of runs, links resolved. Raises UserError."""
    if len(folders) < 2:
        raise UserError("a comparison needs two runs or more: name their folders")
    if len(folders) > len(LABELS):
        raise UserError(f"{len(folders)} runs were given; at most {len(LABELS)} fit on one axis")
    found: dict[Path, Path] = {}
    for folder in folders:
        if (own := Store.open(folder).folder) in found:
            raise UserError(f"{folder}: is the same run as {found[own]}; name each run once")
        found[own] = folder
    return list(found)


def _analysed(folder: Path, on_status: Callable[[str], None]) -> Results:
    """Analyse a run again: all runs by the same version, and with all blocks that are on disk."""
    on_status(f"analysing {folder.name}")
    with interruptible():
        return analyse(Store.open(folder))


def show_stored(view: StoredView, written: Path, console: Console) -> None:
    """Print runs, differences, figures and the path of the page; the answer is the last line."""
    for run in view.runs:
        console.print(printable("  ".join((run.label, run.name, *run.texts))), markup=False)
    for table in (view.differences, view.not_shared, view.figures):
        if table.rows:
            console.print(_terminal_table(table))
    for remark in view.remarks:
        console.print(f"Remark: {remark}", markup=False)
    console.print(view.same_work_text, markup=False)
    console.print(str(written), markup=False)
    console.print(printable(view.headline), markup=False, style="bold")


def _terminal_table(table: Table) -> TerminalTable:
    """Return a table; of its figures the first column is a line above the rows that it names."""
    figures = table.id == "figures"
    found = TerminalTable(
        title=escape(table.caption), title_justify="left", box=None, pad_edge=False
    )
    for n, heading in enumerate(table.header[figures:]):
        found.add_column(escape(heading), overflow="fold", min_width=NAME_WIDTH if n == 0 else None)
    # Differences are shown to the last.
    most = MOST_ROWS if figures else len(table.rows)
    named = ""
    for name, *texts in table.rows[:most]:
        if figures and name != named:
            found.add_row(f"[bold]{escape(printable(name))}[/]")
        found.add_row(*(escape(printable(text)) for text in (texts if figures else (name, *texts))))
        named = name
    if len(table.rows) > most:
        found.add_row(f"{len(table.rows) - most} more on the page")
    return found
