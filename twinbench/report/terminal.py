"""The answer in the terminal: a table for each kind of load, one line a finding."""

from rich import box
from rich.console import Console
from rich.table import Table

from twinbench.analyse.results import Comparison, Results
from twinbench.plan import LoadKind
from twinbench.report import instrument, style, words
from twinbench.report.kinds import KINDS
from twinbench.report.tables import overview_loads
from twinbench.report.verdicts import summary

COLOUR = {style.BASELINE: "dark_orange3", style.CANDIDATE: "dodger_blue2"}


def show(results: Results, console: Console) -> None:
    """Print the summary of `results`."""
    for kind in KINDS:
        if results.pairs(kind):
            console.print(words.overview(results, kind, words.pairs(results)), style="italic")
            console.print(_table(results, kind))
    if results.comparisons:
        console.print("▲ candidate ahead, ▼ baseline ahead, by more than the margin", style="dim")
    for scenario in results.plan.scenarios:
        if not any(c.scenario == scenario.name for c in results.comparisons):
            console.print(f"{scenario.name}: {' '.join(summary(results, scenario.name))}")
    for sentence in words.unequal(results):
        console.print(sentence, markup=False)
    if results.calibration and results.calibration.failed:
        console.print(f"Calibration: {instrument.failed(results.calibration)}", markup=False)
    console.print(f"{words.validity(results)} {words.timing(results)}")


def _table(results: Results, kind: LoadKind) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    loads = overview_loads(results, kind)
    table.add_column("scenario", no_wrap=True)
    for load in loads:
        table.add_column(str(load), justify="right")
    for name, comparisons in results.pairs(kind):
        at = {comparison.load.value: _coloured(comparison) for comparison in comparisons}
        table.add_row(name, *(at.get(load, "") for load in loads))
    return table


def _coloured(comparison: Comparison) -> str:
    ahead = comparison.survivor or style.advantage(comparison)
    colour = COLOUR.get(style.of_target(ahead, comparison), "default")
    return f"[{colour}]{style.verdict(comparison)}[/]"
