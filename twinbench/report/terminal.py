"""The result in the terminal: the verdict tables, the badges, and the headline last."""

from itertools import compress

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from twinbench.analyse.results import VersionVerdict
from twinbench.report.elements import Table as Texts
from twinbench.report.elements import VerdictTable
from twinbench.report.markdown import advantages
from twinbench.report.versions import RowView, VersionsView
from twinbench.report.view import ReportView
from twinbench.text import printable

STYLES = ("dark_orange3", "dodger_blue1", "green", "magenta")  # by target, as in the charts
MOST_ROWS = 40
VERDICT_STYLES: dict[VersionVerdict, str] = {
    "slower": "red",
    "faster": "green",
    "no difference shown": "dim",
    "could not tell": "yellow",
}
# Of a log, which has no width of its own; lines of this length fit where logs are shown.
LOG_WIDTH = 100


def show(view: ReportView, console: Console) -> None:
    """Print the verdicts, the badges and the headline."""
    for table in view.verdicts:
        console.print(_table(table))
    for cheapest in view.sweep:
        console.print(_texts(cheapest))
    badges = " · ".join(badge.marked for badge in view.badges)
    console.print(printable(badges), markup=False)
    console.print(printable(view.headline_text), markup=False, style="bold")


def _table(table: VerdictTable) -> Table:
    found = Table(title=table.caption, title_justify="left", box=None, pad_edge=False)
    for heading in ("scenario", "faster, up to", "where", *(text for _, text in table.columns)):
        found.add_column(escape(heading), overflow="fold")
    for row in table.rows[:MOST_ROWS]:
        target = row.advantages[0].target.target if row.advantages else None
        style = "dim" if target is None else STYLES[target % len(STYLES)]
        faster, where = map(escape, advantages(row))
        cells = map(escape, row.cells)
        found.add_row(escape(row.label), f"[{style}]{faster}[/]", where, *cells)
    if len(table.rows) > MOST_ROWS:
        found.add_row(f"{len(table.rows) - MOST_ROWS} more in the report")
    return found


def _texts(table: Texts) -> Table:
    found = Table(title=escape(table.caption), title_justify="left", box=None, pad_edge=False)
    for heading in table.header:
        found.add_column(escape(heading), overflow="fold")
    for row in table.rows[:MOST_ROWS]:
        found.add_row(*map(escape, row))
    return found


def show_versions(view: VersionsView, console: Console) -> None:
    """Print the rows of a comparison of versions, how it was measured, and last the answer."""
    if view.rows:
        console.print(_rows_table(view, console))
    basis = f"{view.basis} · {view.conditions}"
    console.print(printable(basis), markup=False, style="dim")
    style = VERDICT_STYLES[view.verdict]
    console.print(f"[bold {style}]{view.word}[/]: {escape(printable(view.because))}")


def _rows_table(view: VersionsView, console: Console) -> Table:
    narrow = console.is_terminal and console.width < LOG_WIDTH
    found = Table(width=None if console.is_terminal else LOG_WIDTH, box=None, pad_edge=False)
    headings = ["scenario", "base", "head", "head / base", "A/A", "CPU", "verdict"]
    # The page has it; without room for it the words of a load would be broken.
    shown = [heading != "CPU" or not narrow for heading in headings]
    for heading in compress(headings, shown):
        found.add_column(heading, overflow="fold", no_wrap=heading == "head / base")
    for row in view.rows[:MOST_ROWS]:
        texts = map(escape, compress(_row_texts(row), shown))
        found.add_row(*texts, style=VERDICT_STYLES[row.verdict])
    if len(view.rows) > MOST_ROWS:
        found.add_row(f"{len(view.rows) - MOST_ROWS} more in the report")
    return found


def _row_texts(row: RowView) -> tuple[str, ...]:
    # What would have seen a difference is in the basis, for all rows together.
    note = f": {row.note}" if row.note and row.verdict != "no difference shown" else ""
    changes = row.ratio.text, row.aa_ratio.estimate, row.cpu_ratio.estimate
    return row.label, row.base, row.head, *changes, row.word + note
