"""Figures by matplotlib, drawn from the elements of a view."""

from matplotlib.figure import Figure

from twinbench.report.charts.lines import line_figure
from twinbench.report.charts.tiles import heat_map_figure, sweep_figure
from twinbench.report.charts.timeline import timeline_figure
from twinbench.report.elements import Chart, HeatMap, LineChart, SweepMap


def figure_of(chart: Chart) -> Figure:
    if isinstance(chart, HeatMap):
        return heat_map_figure(chart)
    if isinstance(chart, SweepMap):
        return sweep_figure(chart)
    return line_figure(chart) if isinstance(chart, LineChart) else timeline_figure(chart)
