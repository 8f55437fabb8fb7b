"""Elements of a report: badges, tables, verdicts, charts. Plain data, ready to be shown.

The index of a target is its position in its scenario (0 is the baseline). It decides the colour
and the marker; None stands for no target.
"""

from dataclasses import dataclass
from typing import Literal, Self

from twinbench.analyse.results import Estimate, Metric, Timeline
from twinbench.analyse.statistics import MARGIN
from twinbench.plan import LoadKind
from twinbench.report.format import change, change_interval, factor

Tone = Literal["good", "plain", "bad"]
SIGNS: dict[Tone, str] = {"good": "✓ ", "plain": "", "bad": "! "}
TargetIndex = int | None


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
    """Text in the colour of a target."""

    text: str
    target: TargetIndex = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts; the first text of each names its row.

    `words`: columns are texts, not figures. `anchor`: prefix of the ids of rows.
    """

    id: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A ratio as a difference, and its interval; empty if they are not known."""

    estimate: str
    interval: str

    @classmethod
    def of(cls, ratio: Estimate | None) -> Self:
        return cls(change(ratio.estimate) if ratio else "", change_interval(ratio))

    @property
    def text(self) -> str:
        return f"{self.estimate} ({self.interval})" if self.interval else self.estimate


@dataclass(frozen=True, slots=True)
class Advantage:
    """The loads at which one target is faster than the other by `metric`, and its largest ratio.

    `ratio` is above 1, or None where the other target collapsed.
    """

    target: Span
    other: Span
    ratio: float | None
    loads: str
    metric: Metric

    @property
    def factor(self) -> str:
        return factor(self.ratio) if self.ratio else "only"


@dataclass(frozen=True, slots=True)
class Mark:
    """A ratio and its interval on a logarithmic axis, in percent of its width."""

    at: float
    low: float
    high: float
    target: TargetIndex
    text: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One comparison in a heat map.

    `strength`: 0 for no difference, 1 to 3 by magnitude. Not `known`: not comparable, collapsed.
    """

    text: str
    target: TargetIndex
    strength: int
    known: bool
    hover: str
    outlined: bool = False


@dataclass(frozen=True, slots=True)
class TileRow:
    """Tiles beside a label, one for each column."""

    label: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One scenario and candidate.

    `label`: the title, with the note where another row has the same title. `advantages`: the larger
    one first; without any, `detail` is what to know. `cells`: a text for each of the table's
    `columns`; `tiles`: one for each of its `loads`, None where it is not measured.
    """

    scenario: str
    title: str
    note: str
    label: str
    advantages: tuple[Advantage, ...]
    detail: str
    mark: Mark | None
    cells: tuple[str, ...]
    tiles: tuple[Tile | None, ...]


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """Verdicts on one kind of load: groups of rows under headings.

    `columns`: name and heading of each column after the marks. `ticks`: position in percent and
    label on the axis of the marks, `one` the position of 1. `loads`: headings of the tiles.
    """

    id: str
    kind: LoadKind
    caption: str
    columns: tuple[tuple[str, str], ...]
    groups: tuple[tuple[str, tuple[VerdictRow, ...]], ...]
    ticks: tuple[tuple[float, str], ...]
    one: float
    loads: tuple[str, ...]

    @property
    def rows(self) -> list[VerdictRow]:
        return [row for _, rows in self.groups for row in rows]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The tiles of a verdict table, which describes the chart for screen readers."""

    name: str
    title: str
    x_label: str
    targets: tuple[Span, ...]
    table: VerdictTable

    @property
    def described_by(self) -> str:
        return self.table.id


@dataclass(frozen=True, slots=True)
class SweepMap:
    """One figure of all targets of a sweep at one load.

    `columns` are the values of the setting `x_label`; `groups` are rows under headings. `shades`:
    what each strength of a tile stands for, and `below` that of none. `outline`: what outlined
    tiles are, empty if none is.
    """

    name: str
    title: str
    x_label: str
    columns: tuple[str, ...]
    groups: tuple[tuple[str, tuple[TileRow, ...]], ...]
    shades: tuple[tuple[int, str], ...]
    below: str
    outline: str
    described_by: str


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its interval, and the text shown on hover. `y` is nan at a gap.

    `target` gives the colour where the points of a series are not joined.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    text: str = ""
    target: TargetIndex = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one target. `line`: how they are joined."""

    label: str
    target: int
    line: Literal["solid", "dashed", "none"]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Text at a load: beside a cross at the bottom or top of the plot, or above or below y = 1."""

    x: float
    text: str
    target: TargetIndex
    place: Literal["bottom", "top", "above 1", "below 1"]


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """A dotted horizontal line."""

    y: float
    label: str
    target: TargetIndex


@dataclass(frozen=True, slots=True)
class LineChart:
    """Values over loads or percentiles.

    `ticks`: positions on a logarithmic x axis and their labels. `scale`: of the y axis; `ratio` is
    logarithmic around 1, with the `margin` as a band. `dots`: every block.
    """

    name: str
    title: str
    x_label: str
    ticks: tuple[tuple[float, str], ...]
    scale: Literal["linear", "log", "ratio"]
    series: tuple[Series, ...]
    described_by: str
    dots: tuple[Series, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    reference_lines: tuple[ReferenceLine, ...] = ()
    margin: float = MARGIN


@dataclass(frozen=True, slots=True)
class TimelineChart:
    """One measurement over time, on the scales of all measurements in `shown`."""

    name: str
    title: str
    target: int
    timeline: Timeline
    shown: tuple[Timeline, ...]
    described_by: str


Chart = HeatMap | LineChart | SweepMap | TimelineChart
