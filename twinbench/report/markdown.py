"""report.md: the same view as text, short enough for a comment on a pull request."""

from collections import Counter
from collections.abc import Iterable, Sequence

from twinbench.report.elements import VerdictRow, VerdictTable
from twinbench.report.view import ReportView
from twinbench.text import printable

MOST_LINES = 80
# GitHub makes links of these, and calls people; an entity is shown as the character that it is.
LIVE = {"@": "&#64;", "://": "&#58;//", "www.": "www&#46;"}
MARKS = {ord(mark): f"\\{mark}" for mark in "\\`*_[]<>|#~$"}
# Key facts that a comment has room for, and the column that each has.
FACTS = ("Peak requests/s", "Limited by", "CPU per request", "Collapsed")
Block = tuple[str, list[str]]  # a heading, and lines of which the last may be left out


def markdown(view: ReportView) -> str:
    """At most 80 lines; rows that do not fit are left out from the end, and that is said."""
    head = [
        f"# `def` or `async def`? Run {plain(view.run)}",
        "",
        plain(view.headline_text.strip()),
        "",
        " · ".join(plain(badge.marked) for badge in view.badges),
        "",
        plain(view.origin),
    ]
    lines, left_out = head, 0
    blocks = [block for block in _blocks(view) if block[1]]
    for n, (heading, own) in enumerate(blocks):
        others = sum(min(len(rest), 3) + 3 for _, rest in blocks[n + 1 :])
        room = MOST_LINES - 2 - len(lines) - 3 - others
        lines += ["", heading, "", *own[: max(room, 3)]]
        left_out += max(0, len(own) - max(room, 3))
    if left_out:
        lines += ["", f"{left_out} more rows are in report.html."]
    return "\n".join(lines) + "\n"


def _blocks(view: ReportView) -> Iterable[Block]:
    yield "**Remarks**", [f"- {plain(remark)}" for remark in view.remarks]
    for table in view.verdicts:
        yield f"**{plain(table.caption)}**", _verdicts(table)
    yield "**Figures**", _facts(view)
    yield (
        "**Published claims**",
        [f"- {row[1]}: {plain(row[0])} {plain(row[2])}" for row in view.claims.rows],
    )
    trust = [view.floor, *view.limits]
    yield "**How far it holds**", [f"- {plain(text)}" for text in trust if text]


def _verdicts(table: VerdictTable) -> list[str]:
    """A row for each scenario: the verdict, then the ratio at each load."""
    header = ["", "faster, up to", "where", f"p99 ms, {table.p99}", "failures", *table.loads]
    rows = [[row.label, *faster(row), row.p99, row.failures, *row.ratios] for row in table.rows]
    return _table(header, rows)


def faster(row: VerdictRow) -> tuple[str, str]:
    """Return which side is faster and where, as two texts."""
    if not row.leads:
        return "~", row.otherwise
    return (
        "; ".join(f"{lead.name} {lead.factor}" for lead in row.leads),
        "; ".join(lead.where for lead in row.leads),
    )


def _facts(view: ReportView) -> list[str]:
    """A row for each scenario under closed loads: its key facts, the baseline's first."""
    rows = []
    titles = Counter(scenario.title for scenario in view.scenarios)
    for scenario in view.scenarios:
        note = f", {scenario.note}" if scenario.note and titles[scenario.title] > 1 else ""
        for section in scenario.sections:
            known = {row[0]: row[1:] for row in section.facts.rows}
            if "Peak requests/s" in known:
                facts = (" / ".join(known.get(name, ())) for name in FACTS)
                rows.append([f"{scenario.title}{note}", *facts])
    return _table(["", *FACTS], rows) if rows else []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [[plain(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return [f"| {' | '.join(line)} |" for line in lines]


def plain(text: str) -> str:
    """`text` on one line, without what markdown would read as markup."""
    found = " ".join(printable(text).split()).translate(MARKS).replace("&", "&amp;")
    for live, entity in LIVE.items():
        found = found.replace(live, entity)
    return found
