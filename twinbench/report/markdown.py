"""report.md: the same answer as text, short enough for a pull request."""

from collections.abc import Sequence

from twinbench.analyse.results import Results
from twinbench.plan import Scenario
from twinbench.report import instrument, words
from twinbench.report.causes import causes
from twinbench.report.kinds import DRAWN, KINDS, TITLES, chart_name, kinds_of
from twinbench.report.tables import overview_rows, scenario_header, scenario_rows
from twinbench.report.verdicts import summary


def markdown(results: Results) -> str:
    machine = results.machine
    parts = [
        f"# `def` or `async def`? Run {_plain(results.run)}",
        f"{words.validity(results)} {words.timing(results)}",
        _plain(instrument.sentence(results)),
        f"{_plain(machine.cpu)}, {machine.cores} cores; Python {results.versions['python']},"
        f" FastAPI {results.versions['fastapi']}.",
        "\n".join(f"- {_plain(sentence)}" for sentence in words.unequal(results)),
    ]
    for kind in KINDS:
        header, rows = overview_rows(results, kind)
        if rows:
            what = words.overview(results, kind, "candidate / baseline")
            parts += [f"{what}:", _table(header, rows)]
    for scenario in results.plan.scenarios:
        parts += _scenario(results, scenario)
    parts += ["## Limits", "\n".join(f"- {limit}" for limit in words.limits(results))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _scenario(results: Results, scenario: Scenario) -> list[str]:
    name = scenario.name
    said = [*summary(results, name), *causes(results, name)]
    parts = [f"## {name}", _plain(scenario.about), "\n".join(f"- {line}" for line in said)]
    for kind in kinds_of(results, name):
        first = DRAWN[kind][0]
        parts += [
            f"![{name}: {TITLES[kind][first]}](charts/{chart_name(name, kind, first)}.svg)",
            _table(scenario_header(results, name, kind), scenario_rows(results, name, kind)),
        ]
    return parts


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, align, *rows))


def _plain(text: str) -> str:
    """`text` without what markdown would read as markup."""
    return text.translate({ord(mark): f"\\{mark}" for mark in "\\`*_[]<>|#"})
