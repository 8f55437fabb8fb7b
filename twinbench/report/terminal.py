"""The result in the terminal: the verdict tables, one line, and how far it can be trusted."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from twinbench.report.elements import VerdictTable
from twinbench.report.markdown import faster
from twinbench.report.view import ReportView
from twinbench.text import printable

# Of the sides: orange and blue as in the charts.
STYLES = ("dark_orange3", "dodger_blue1", "green", "magenta")
MOST_ROWS = 40


def show(view: ReportView, console: Console) -> None:
    """Print the verdicts, the badges and the headline; whoever calls this prints the path."""
    for table in view.verdicts:
        console.print(_table(table))
    trust = [badge.marked for badge in view.badges]
    console.print(printable(" · ".join(trust)), markup=False)
    console.print(printable(view.summary or view.headline_text.strip()), markup=False, style="bold")


def _table(table: VerdictTable) -> Table:
    found = Table(title=table.caption, title_justify="left", box=None, pad_edge=False)
    for name in ("scenario", "faster, up to", "where", f"p99 ms, {escape(table.p99)}", "failures"):
        found.add_column(name, overflow="fold")
    for row in table.rows[:MOST_ROWS]:
        style = STYLES[row.leads[0].side % len(STYLES)] if row.leads else "dim"
        who, where = faster(row)
        cells = (row.label, f"[{style}]{escape(who)}[/]", where, row.p99, row.failures)
        found.add_row(escape(cells[0]), cells[1], *(escape(cell) for cell in cells[2:]))
    if len(table.rows) > MOST_ROWS:
        found.add_row(f"{len(table.rows) - MOST_ROWS} more in the report")
    return found
