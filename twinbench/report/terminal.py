"""The result in the terminal: the verdict tables, the badges, and the headline."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from twinbench.report.elements import VerdictTable
from twinbench.report.markdown import advantages
from twinbench.report.view import ReportView
from twinbench.text import printable

STYLES = ("dark_orange3", "dodger_blue1", "green", "magenta")  # by target, as in the charts
MOST_ROWS = 40


def show(view: ReportView, console: Console) -> None:
    """Print the verdicts, the badges and the headline."""
    for table in view.verdicts:
        console.print(_table(table))
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
