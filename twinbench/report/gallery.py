"""Which charts a report has: their names, what they say to those who cannot see them, and how they
are drawn."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from matplotlib.figure import Figure

from twinbench.analyse.results import Metric, Results
from twinbench.findings import Calibration, Picture
from twinbench.plan import LoadKind
from twinbench.report.beside import interference_alt, interference_words, interferences
from twinbench.report.charts import (
    curve_alt,
    curve_figure,
    interference_figure,
    map_figure,
    overview_figure,
    picture_figure,
    ratio_alt,
    ratio_figure,
    spectrum_alt,
    spectrum_figure,
    timeline_figure,
)
from twinbench.report.charts.spectra import spectrum_load
from twinbench.report.grid import grid, map_alt, map_words
from twinbench.report.instrument import calibrations
from twinbench.report.kinds import (
    DRAWN,
    KINDS,
    chart_name,
    kinds_of,
    overview_name,
    picture_name,
)
from twinbench.report.over_time import timeline_alt, timelines_of
from twinbench.report.overview import overview_alt


class Chart(NamedTuple):
    """`name` is that of its file, too. `figure` is made from the results; it can be sent to another
    process. `png`: also as a picture that needs no browser."""

    name: str
    alt: str
    figure: Callable[..., Figure]
    png: bool = False


class OfScenario(NamedTuple):
    """A chart that scenarios have for a kind of load, where it is `there`; `what` ends its name."""

    what: str
    figure: Callable[..., Figure]
    alt: Callable[[Results, str, LoadKind], str]
    there: Callable[[Results, str, LoadKind], bool]


class Section(NamedTuple):
    """What a run shows as a whole, the overview apart: under a title, sentences and charts."""

    name: str
    title: str
    said: list[str]
    charts: list[Chart]


def _is_drawn(_: Results, __: str, kind: LoadKind, metric: Metric) -> bool:
    return metric in DRAWN[kind]


def _compares(results: Results, scenario: str, kind: LoadKind) -> bool:
    return bool(results.compared(scenario, kind, results.decisive(scenario, kind)))


def _has_percentiles(results: Results, scenario: str, kind: LoadKind) -> bool:
    return spectrum_load(results, scenario, kind) is not None


# In the order in which they are shown.
CURVES: tuple[Metric, ...] = ("throughput", "p50", "p99")
OF_SCENARIO = (
    *(
        OfScenario(
            metric,
            partial(curve_figure, metric=metric),
            partial(curve_alt, metric=metric),
            partial(_is_drawn, metric=metric),
        )
        for metric in CURVES
    ),
    OfScenario("ratio", ratio_figure, ratio_alt, _compares),
    OfScenario("spectrum", spectrum_figure, spectrum_alt, _has_percentiles),
)


def charts(results: Results) -> list[Chart]:
    """All charts of a report."""
    found = [
        Chart(
            overview_name(kind),
            overview_alt(results, kind),
            partial(overview_figure, kind=kind),
            png=True,
        )
        for kind in KINDS
        if results.pairs(kind)
    ]
    for scenario in results.plan.scenarios:
        for kind in kinds_of(results, scenario.name):
            found += charts_of(results, scenario.name, kind)
            found += charts_over_time(results, scenario.name, kind)
    found += [chart for section in sections(results) for chart in section.charts]
    for calibration in calibrations(results):
        found += charts_of_calibration(calibration)
    return found


def charts_of(results: Results, scenario: str, kind: LoadKind) -> Iterator[Chart]:
    """Those of one scenario under one kind of load."""
    for entry in OF_SCENARIO:
        if entry.there(results, scenario, kind):
            yield Chart(
                chart_name(scenario, kind, entry.what),
                entry.alt(results, scenario, kind),
                partial(entry.figure, scenario=scenario, kind=kind),
            )


def charts_over_time(results: Results, scenario: str, kind: LoadKind) -> Iterator[Chart]:
    """How a cell of each target went, to be put side by side."""
    for timeline in timelines_of(results, scenario, kind):
        yield Chart(
            chart_name(scenario, kind, f"time.{timeline.target}"),
            timeline_alt(results, timeline),
            partial(timeline_figure, timeline=timeline),
        )


def sections(results: Results) -> list[Section]:
    """Those for which the plan has what they need."""
    found = []
    if grid(results):
        chart = Chart("map", map_alt(results), map_figure)
        found.append(Section("map", "IO and CPU in one map", map_words(results), [chart]))
    beside = interferences(results)
    if beside:
        said = [sentence for one in beside for sentence in interference_words(results, one)]
        charts = [
            Chart(
                f"interference.{n}",
                interference_alt(results, one),
                partial(interference_figure, found=one),
            )
            for n, one in enumerate(beside, start=1)
        ]
        found.append(Section("interference", "A cheap route beside neighbours", said, charts))
    return found


def charts_of_calibration(found: Calibration) -> list[Chart]:
    return [
        Chart(
            picture_name(found, item),
            f"{item.name}: {item.said}",
            partial(_picture, picture=item.picture),
        )
        for item in found.items
        if item.picture
    ]


def _picture(_: Results | None, picture: Picture) -> Figure:
    return picture_figure(picture)
