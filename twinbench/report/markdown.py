"""Markdown: report.md, and comment.md, a comment on a pull request that compares versions."""

from collections.abc import Iterable, Sequence

from twinbench.report.elements import VerdictRow, VerdictTable
from twinbench.report.versions import RowView, VersionsView, counts
from twinbench.report.view import ReportView
from twinbench.text import labels, one_line, printable

MOST_LINES = 80
MOST_COMMENT_LINES = 25
MOST_NOTE = 160  # characters of a cell in a comment
# A job finds its comment by this line, and replaces it.
MARKER = "<!-- twinbench compare -->"
COMMENT_HEADER = (
    *("", "base", "head", "head / base"),
    *("A/A: base again / base", "CPU per request", "verdict"),
)
# What a reader who has only the comment needs to read its table.
LEGEND = (
    "Of /s more is faster, of ms less. In brackets: 95 % interval. A/A: base measured once more,"
    " noise of the machine. ~: no difference shown; four runs in five would have shown what it"
    " would have seen."
)
# GitHub makes links of these, and mentions and references also where the mark is an entity: it
# reads the finished text, in which a space of no width parts them.
ENTITIES = {"@": "@&#8203;", "\\#": "\\#&#8203;", "://": "&#58;//", "www.": "www&#46;"}
ESCAPES = {ord(mark): f"\\{mark}" for mark in "\\`*_[]<>|#~$"}
# Key facts that a comment has room for.
FACTS = ("Peak requests/s", "Limited by", "CPU per request", "Collapsed")


def markdown(view: ReportView) -> str:
    """Return at most 80 lines; rows that do not fit are left out from the end, and counted."""
    lines = [
        f"# {' or '.join(map(plain, view.question))}? Run {plain(view.run)}",
        "",
        plain(view.headline_text),
        "",
        " · ".join(plain(badge.marked) for badge in view.badges),
        "",
        plain(view.origin),
    ]
    left_out = 0
    blocks = [block for block in _blocks(view) if block[1]]
    for n, (heading, own) in enumerate(blocks):
        others = sum(min(len(rest), 3) + 3 for _, rest in blocks[n + 1 :])
        room = max(MOST_LINES - 2 - len(lines) - 3 - others, 3)
        lines += ["", heading, "", *own[:room]]
        left_out += max(0, len(own) - room)
    if left_out:
        lines += ["", f"{left_out} more rows are in report.html."]
    return "\n".join(lines) + "\n"


def _blocks(view: ReportView) -> Iterable[tuple[str, list[str]]]:
    """Yield headings and the lines below them."""
    yield "**Remarks**", [f"- {plain(remark)}" for remark in view.remarks]
    for table in view.verdicts:
        yield f"**{plain(table.caption)}**", _verdicts(table)
    for cheapest in view.sweep:
        yield f"**{plain(cheapest.caption)}**", _table(cheapest.header, cheapest.rows)
    yield "**Figures**", _facts(view)
    claims = [f"- {row[1]}: {plain(row[0])} {plain(row[2])}" for row in view.claims.rows]
    yield "**Published claims**", claims
    limits = [view.floor, *view.limits]
    yield "**How far it holds**", [f"- {plain(text)}" for text in limits if text]


def _verdicts(table: VerdictTable) -> list[str]:
    """Return a row for each scenario: the verdict, then the tiles of the heat map."""
    headings = [heading for _, heading in table.columns]
    header = ["", "faster, up to", "where", *headings, *table.loads]
    rows = []
    for row in table.rows:
        tiles = [tile.text if tile else "" for tile in row.tiles]
        rows.append([row.label, *advantages(row), *row.cells, *tiles])
    return _table(header, rows)


def advantages(row: VerdictRow) -> tuple[str, str]:
    """Return which target is faster by which factor, and at which loads, as two texts."""
    if not row.advantages:
        return "~", row.detail
    return (
        "; ".join(f"{one.target.text} {one.factor}" for one in row.advantages),
        "; ".join(one.loads for one in row.advantages),
    )


def _facts(view: ReportView) -> list[str]:
    """Return a row for each scenario under closed loads, with the facts of all targets."""
    rows = []
    names = labels([(scenario.title, scenario.note) for scenario in view.scenarios])
    for name, scenario in zip(names, view.scenarios, strict=True):
        for section in scenario.sections:
            known = {row[0]: row[1:] for row in section.facts.rows}
            if "Peak requests/s" in known:
                rows.append([name, *(" / ".join(known.get(fact, ())) for fact in FACTS)])
    return _table(["", *FACTS], rows) if rows else []


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [[plain(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return [f"| {' | '.join(line)} |" for line in lines]


def comment(view: VersionsView) -> str:
    """Return at most 25 lines: answer, versions, and rows; those that do not fit are counted."""
    lines = [
        MARKER,
        f"**{plain(view.word)}**: {plain(view.because)}",
        "",
        f"- base: {plain(view.base)}",
        f"- head: {plain(view.head)}",
    ]
    end = ["", *[plain(LEGEND)] * bool(view.rows), plain(f"{view.basis} · {view.conditions}")]
    room = MOST_COMMENT_LINES - len(lines) - len(end) - 3  # an empty line, and two of the header
    shown = view.rows if len(view.rows) <= room else view.rows[: room - 2]
    if shown:
        lines += ["", *_table(COMMENT_HEADER, map(_comment_row, shown))]
    if left_out := view.rows[len(shown) :]:
        lines += ["", plain(f"{len(left_out)} more rows in compare.html: {counts(left_out)}.")]
    return "\n".join([*lines, *end]) + "\n"


def refusal_comment(message: str, *, different: bool) -> str:
    """Return the comment on versions that were not measured: at most 25 lines.

    `message`: why, in lines; `different`: head responds otherwise than base.
    """
    lines = printable(message).splitlines()
    if len(lines) > (room := MOST_COMMENT_LINES - 4):
        lines = [*lines[: room - 1], f"... and {len(lines) - room + 1} more lines"]
    answer = "**Different**: head does not do the work of base" if different else "**No verdict**"
    # Indented: a block of code, in which nothing is markup.
    return "\n".join(
        [MARKER, f"{answer}; nothing was measured.", "", *(f"    {x}" for x in lines), ""]
    )


def _comment_row(row: RowView) -> tuple[str, ...]:
    note = f" ({one_line(row.note, MOST_NOTE)})" if row.note else ""
    changes = row.ratio.text, row.aa_ratio.text, row.cpu_ratio.estimate
    return row.label, row.base, row.head, *changes, row.word + note


def plain(text: str) -> str:
    """Return `text` on one line, with everything escaped that markdown reads as markup."""
    found = " ".join(printable(text).split()).translate(ESCAPES).replace("&", "&amp;")
    for mark, entity in ENTITIES.items():
        found = found.replace(mark, entity)
    return found
