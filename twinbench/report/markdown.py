"""report.md: the same answer as text, short enough for a pull request."""

from collections.abc import Sequence

from twinbench.analyse.results import Results
from twinbench.report import words
from twinbench.report.tables import overview_rows, scenario_header, scenario_rows


def markdown(results: Results) -> str:
    machine = results.machine
    header, rows = overview_rows(results)
    parts = [
        f"# `def` or `async def`? Run {_plain(results.run)}",
        f"{words.validity(results)} {words.timing(results)}",
        f"{_plain(machine.cpu)}, {machine.cores} cores; Python {results.versions['python']},"
        f" FastAPI {results.versions['fastapi']}.",
    ]
    parts.append("\n".join(f"- {_plain(sentence)}" for sentence in words.unequal(results)))
    if rows:
        parts += ["Throughput, candidate / baseline, by number of users:", _table(header, rows)]
    for scenario in results.plan.scenarios:
        said = [*words.summary(results, scenario.name), *words.costs(results, scenario.name)]
        header = scenario_header(results.plan.targets_of(scenario))
        parts += [
            f"## {scenario.name}",
            _plain(scenario.about),
            "\n".join(f"- {line}" for line in said),
            f"![{scenario.name}](charts/{scenario.name}.throughput.svg)",
            _table(header, scenario_rows(results, scenario.name)),
        ]
    parts += ["## Limits", "\n".join(f"- {limit}" for limit in words.LIMITS)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, align, *rows))


def _plain(text: str) -> str:
    """`text` without what markdown would read as markup."""
    return text.translate({ord(mark): f"\\{mark}" for mark in "\\`*_[]<>|#"})
