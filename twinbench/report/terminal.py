"""The answer in the terminal: one table, one line a finding."""

from rich import box
from rich.console import Console
from rich.table import Table

from twinbench.analyse.results import Comparison, Results
from twinbench.report import style, words

COLOUR = {style.BASELINE: "dark_orange3", style.CANDIDATE: "dodger_blue2"}


def show(results: Results, console: Console) -> None:
    """Print the summary of `results`."""
    loads = sorted({comparison.load.value for comparison in results.comparisons})
    table = Table(
        title=f"Throughput, {words.pairs(results)}, by number of users",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    table.add_column("scenario", no_wrap=True)
    for load in loads:
        table.add_column(str(load), justify="right")
    for name, comparisons in results.pairs():
        at = {comparison.load.value: _coloured(comparison) for comparison in comparisons}
        table.add_row(name, *(at.get(load, "") for load in loads))
    if table.rows:
        console.print(table)
        console.print("▲ candidate ahead, ▼ baseline ahead, by more than the margin", style="dim")
    for scenario in results.plan.scenarios:
        if not results.compared(scenario.name, "throughput"):
            console.print(f"{scenario.name}: {' '.join(words.summary(results, scenario.name))}")
    for sentence in words.unequal(results):
        console.print(sentence, markup=False)
    console.print(f"{words.validity(results)} {words.timing(results)}")


def _coloured(comparison: Comparison) -> str:
    ahead = comparison.survivor or style.advantage(comparison)
    colour = COLOUR.get(style.of_target(ahead, comparison), "default")
    return f"[{colour}]{style.verdict(comparison)}[/]"
