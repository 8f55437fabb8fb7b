"""Figures by matplotlib, from results: nothing here reads or writes a file."""

from twinbench.report.charts.comparisons import overview_figure, ratio_figure
from twinbench.report.charts.curves import TITLES, curve_figure

__all__ = ["TITLES", "curve_figure", "overview_figure", "ratio_figure"]
