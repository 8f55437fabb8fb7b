"""Elements that a report is made of: tables, verdicts, charts. Plain data, ready to be shown.

A `side` is the position of a target in its scenario (0 is the baseline), which decides its colour
and its marker; None stands for no target.
"""

from dataclasses import dataclass
from typing import Literal

from twinbench.analyse.results import Timeline
from twinbench.plan import LoadKind
from twinbench.report.format import factor

Tone = Literal["good", "plain", "bad"]
SIGNS: dict[Tone, str] = {"good": "✓ ", "plain": "", "bad": "! "}
Side = int | None


@dataclass(frozen=True, slots=True)
class Badge:
    """A validity check in a few words. `section` is the id of what explains it."""

    text: str
    tone: Tone
    section: str

    @property
    def marked(self) -> str:
        return SIGNS[self.tone] + self.text


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the headline, in the colour of a side."""

    text: str
    side: Side = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, the first of which names its row. `words`: columns are texts, not figures.
    With `anchor`, the id of a row is the anchor and the row's first text."""

    id: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """Where one side is better than the other, and by how much at most: `ratio`, above 1; None
    where the other has none because it collapsed."""

    side: int
    name: str
    other: str
    other_side: int
    ratio: float | None
    where: str

    @property
    def factor(self) -> str:
        return factor(self.ratio) if self.ratio else "only"


@dataclass(frozen=True, slots=True)
class Mark:
    """A ratio and its interval on the logarithmic axis of a verdict table. Positions are percent
    of its width."""

    at: float
    low: float
    high: float
    side: Side
    text: str


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One scenario and candidate. `label`: the title, with the note where others have the same.
    `leads`: the larger difference first, none where no difference
    is shown, and `otherwise` is what to know then. `failures`: from which load a target collapses
    or responds wrongly. `ratios`: the tiles of all loads, as text."""

    scenario: str
    title: str
    note: str
    label: str
    leads: tuple[Lead, ...]
    otherwise: str
    mark: Mark | None
    p99: str
    failures: str
    ratios: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """Verdicts on one kind of load. `ticks`: position in percent and label on the axis of the
    marks; `one` is the position of 1. `loads`: the header of the rows' `ratios`."""

    id: str
    kind: LoadKind
    caption: str
    p99: str
    groups: tuple[tuple[str, tuple[VerdictRow, ...]], ...]
    ticks: tuple[tuple[float, str], ...]
    one: float
    loads: tuple[str, ...]

    @property
    def rows(self) -> list[VerdictRow]:
        return [row for _, rows in self.groups for row in rows]


@dataclass(frozen=True, slots=True)
class Tile:
    """One comparison in a heat map. `strength`: 0 for no difference, then 1 to 3 by magnitude;
    not `known`: not comparable."""

    column: int
    text: str
    side: Side
    strength: int
    known: bool
    hover: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Groups of rows, each a label and its tiles. `described_by`: the id of a table with the same
    figures."""

    name: str
    title: str
    x_label: str
    columns: tuple[str, ...]
    groups: tuple[tuple[str, tuple[tuple[str, tuple[Tile, ...]], ...]], ...]
    sides: tuple[tuple[int, str], ...]
    described_by: str


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its interval, and what a pointer on it shows."""

    x: float
    y: float
    low: float | None
    high: float | None
    text: str
    side: Side = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one target. `line`: how they are joined; a gap where a load has no value."""

    label: str
    side: int
    line: Literal["solid", "dashed", "none"]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """One block at one load."""

    x: float
    y: float
    side: int
    valid: bool
    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """A text at a load where there is no value. `edge`: at which end of the y axis, or at y = 1."""

    x: float
    text: str
    side: Side
    edge: Literal["bottom", "top", "above 1", "below 1"]


@dataclass(frozen=True, slots=True)
class Level:
    """A dotted horizontal line."""

    y: float
    label: str
    side: Side


@dataclass(frozen=True, slots=True)
class LineChart:
    """Values over loads or percentiles. `ticks`: positions on a logarithmic x axis and their
    labels; `gaps`: no line passes a tick without a value; `band`: a strip around y = 1 and what it
    means."""

    name: str
    title: str
    x_label: str
    ticks: tuple[tuple[float, str], ...]
    y_scale: Literal["linear", "log"]
    series: tuple[Series, ...]
    described_by: str
    gaps: bool = False
    dots: tuple[Dot, ...] = ()
    collapses: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()
    levels: tuple[Level, ...] = ()
    band: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class TimelineChart:
    """One measurement over time, on the scales of those `beside` it."""

    name: str
    title: str
    side: int
    timeline: Timeline
    beside: tuple[Timeline, ...]
    described_by: str


Chart = HeatMap | LineChart | TimelineChart
