"""Figures by matplotlib, from results: nothing here reads or writes a file."""

from twinbench.report.charts.calibration import picture_figure
from twinbench.report.charts.comparisons import ratio_alt, ratio_figure
from twinbench.report.charts.curves import curve_figure
from twinbench.report.charts.grid import map_figure
from twinbench.report.charts.interference import interference_figure
from twinbench.report.charts.overview import overview_figure
from twinbench.report.charts.readings import curve_alt
from twinbench.report.charts.spectra import spectrum_alt, spectrum_figure
from twinbench.report.charts.timelines import timeline_figure

__all__ = [
    "curve_alt",
    "curve_figure",
    "interference_figure",
    "map_figure",
    "overview_figure",
    "picture_figure",
    "ratio_alt",
    "ratio_figure",
    "spectrum_alt",
    "spectrum_figure",
    "timeline_figure",
]
