"""report.md: the same answer as text, short enough for a comment on a pull request.

What does not fit is left out from the end, and that is said.
"""

from collections.abc import Iterable, Sequence

from twinbench.analyse.results import Results
from twinbench.plan import Scenario
from twinbench.printable import printable
from twinbench.report import instrument, words
from twinbench.report.answer import answer
from twinbench.report.badges import badges
from twinbench.report.causes import causes
from twinbench.report.facts import facts
from twinbench.report.kinds import KINDS, kinds_of
from twinbench.report.tables import overview_rows, scenario_header, scenario_rows
from twinbench.report.verdicts import summary

# Characters. GitHub takes 65,536; what is longer than this nobody scrolls through in a comment.
LONGEST = 16_000
LIVE = {"@": "&#64;", "://": "&#58;//", "www.": "www&#46;"}
MARKS = {ord(mark): f"\\{mark}" for mark in "\\`*_[]<>|#~$"}


def markdown(results: Results) -> str:
    text = "\n\n".join(filter(None, _head(results)))
    left_out = []
    for name, section in _sections(results):
        if section and len(text) + len(section) < LONGEST:
            text += f"\n\n{section}"
        elif section:
            left_out.append(name)
    if left_out:
        text += f"\n\nLeft out here for length: {', '.join(left_out)}. All of it is in report.html."
    return f"{text}\n"


def _head(results: Results) -> list[str]:
    return [
        f"# `def` or `async def`? Run {plain(results.run)}",
        bullets(said.text for said in answer(results)),
        " · ".join(plain(badge.marked) for badge in badges(results)),
        bullets(results.remarks),
    ]


def _sections(results: Results) -> Iterable[tuple[str, str]]:
    """What follows the answer, from what is wanted most to what can be looked up."""
    for kind in KINDS:
        header, rows = overview_rows(results, kind)
        what = plain(words.overview(results, kind, words.pairs(results)))
        yield (
            what,
            f"{what}. {plain(words.marks(results))}\n\n{_table(header, rows)}" if rows else "",
        )
    yield "the claims", _claims(results)
    yield "how it was measured", _measured(results)
    scenarios = results.plan.scenarios
    said = "\n\n".join(_scenario(results, scenario) for scenario in scenarios)
    yield "each scenario in words", _folded("Each scenario in words", said)
    tables = "\n\n".join(_tables(results, scenario.name) for scenario in scenarios)
    yield "the figures of each scenario", _folded("All figures", tables)


def _claims(results: Results) -> str:
    if not results.claims:
        return ""
    header = ["published", "this run", "because", "source"]
    rows = _table(header, words.claim_rows(results), "---")
    return f"## Published claims\n\n{words.claims(results)}.\n\n{rows}"


def _measured(results: Results) -> str:
    machine, versions = results.machine, results.versions
    parts = [
        f"{words.validity(results)} {words.timing(results)} {instrument.sentence(results)}",
        f"{machine.cpu}, {machine.cores} cores; Python {versions['python']},"
        f" FastAPI {versions['fastapi']}.",
    ]
    checked = [f"Preflight: {pair.sentence}" for pair in results.preflight]
    said = [*checked, *words.unequal(results), *words.limits(results)]
    return "\n\n".join(["## How far it holds", *map(plain, parts), bullets(said)])


def _scenario(results: Results, scenario: Scenario) -> str:
    name = scenario.name
    meant = [f"{fact}: {said}." for fact, said in facts(results, name)]
    said = bullets([*summary(results, name), *meant, *causes(results, name)])
    return "\n\n".join(filter(None, [f"**{plain(name)}** {plain(scenario.about)}", said]))


def _tables(results: Results, scenario: str) -> str:
    parts = [f"**{plain(scenario)}**"]
    for kind in kinds_of(results, scenario):
        header = scenario_header(results, scenario, kind)
        parts.append(_table(header, scenario_rows(results, scenario, kind)))
    return "\n\n".join(parts)


def _folded(summary_text: str, text: str) -> str:
    return f"<details><summary>{summary_text}</summary>\n\n{text}\n\n</details>"


def bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], others: str = "---:") -> str:
    """`others`: how all columns but the first are aligned; figures to the right."""
    align = ["---"] + [others] * (len(header) - 1)
    cells = ([plain(cell) for cell in row] for row in (header, *rows))
    lines = [" | ".join(row) for row in cells]
    return "\n".join(f"| {line} |" for line in (lines[0], " | ".join(align), *lines[1:]))


def plain(text: str) -> str:
    """`text` on one line, without what markdown would read as markup."""
    found = " ".join(printable(text).split()).translate(MARKS).replace("&", "&amp;")
    # GitHub makes links of these, and calls people; an entity is shown as the character that it is.
    for live, entity in LIVE.items():
        found = found.replace(live, entity)
    return found
