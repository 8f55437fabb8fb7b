"""Figures by matplotlib, from results: nothing here reads or writes a file."""

from twinbench.report.charts.calibration import picture_figure
from twinbench.report.charts.comparisons import overview_figure, ratio_figure
from twinbench.report.charts.curves import curve_figure

__all__ = ["curve_figure", "overview_figure", "picture_figure", "ratio_figure"]
