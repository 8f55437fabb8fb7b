"""Percentile spectra: the load that is shown, the lines, the words."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests import runs, told
from twinbench.analyse.results import Curve, Results
from twinbench.report import style
from twinbench.report.charts import spectrum_figure
from twinbench.report.charts.spectra import spectrum_alt, spectrum_load

FAST: dict[float, float] = {50: 1.0, 90: 2.0, 99: 8.0}
SLOW: dict[float, float] = {1: 0.5, 50: 10.0, 90: 12.0, 99: 20.0, 99.9: 300.0}


def results(*curves: Curve) -> Results:
    return told.results(runs.plan(), curves=list(curves))


def closed() -> Results:
    return results(
        told.curve("sync", "closed", told.point(1, response=FAST), told.point(8, response=SLOW)),
        told.curve("async", "closed", told.point(1, response=SLOW), told.point(8, response=FAST)),
    )


def lines(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """Lines by label; markers have none."""
    return {
        str(line.get_label()): [
            (float(x), float(y))
            for x, y in zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True)
        ]
        for line in figure.axes[0].get_lines()
        if not str(line.get_label()).startswith("_")
    }


def test_the_highest_load_at_which_all_targets_can_be_shown() -> None:
    assert spectrum_load(closed(), "noop", "closed") == 8
    stopped = told.point(8, response=FAST, status="collapsed")
    sync = told.curve("sync", "closed", told.point(1, response=FAST), stopped)
    both = results(sync, *closed().curves[1:])
    assert spectrum_load(both, "noop", "closed") == 1


def test_where_no_load_shows_all_targets_the_highest_that_shows_one() -> None:
    sync = told.curve("sync", "closed", told.point(1, response=FAST), told.point(8))
    async_ = told.curve("async", "closed", told.point(1), told.point(8, response=FAST))
    both = results(sync, async_)
    assert spectrum_load(both, "noop", "closed") == 8
    assert list(lines(spectrum_figure(both, "noop", "closed"))) == ["async"]


def test_x_is_one_request_in_so_many() -> None:
    figure = spectrum_figure(closed(), "noop", "closed")
    drawn = lines(figure)
    assert np.array(drawn["async"]) == pytest.approx(np.array([(2, 1), (10, 2), (100, 8)]))
    assert drawn["sync"][0] == pytest.approx((1 / 0.99, 0.5))
    assert drawn["sync"][-1] == pytest.approx((1000, 300.0))
    ticks = figure.axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["50 %", "90 %", "99 %", "99.9 %"]
    assert "8 users" in figure.texts[0].get_text()


def test_landmarks_say_their_figures_on_hover() -> None:
    figure = spectrum_figure(closed(), "noop", "closed")
    said = {line.get_gid(): line.get_color() for line in figure.axes[0].get_lines()}
    assert said["hover:sync: 99.9 % within 300 ms"] == style.BASELINE
    assert said["hover:async: 50 % within 1 ms"] == style.CANDIDATE
    assert len([gid for gid in said if gid]) == 7


def test_of_an_open_load_service_is_a_dashed_line() -> None:
    point = told.point(500, response=SLOW, service=FAST)
    figure = spectrum_figure(results(told.curve("sync", "open", point)), "noop", "open")
    drawn = lines(figure)
    assert [y for _, y in drawn["sync, since it was sent"]] == [1, 2, 8]
    assert drawn["sync, since it was to be sent"][-1] == pytest.approx((1000, 300.0))
    styles = {str(line.get_label()): line.get_linestyle() for line in figure.axes[0].get_lines()}
    assert styles["sync, since it was sent"] == "--"
    low, high = figure.axes[0].get_ylim()
    assert low < 0.5
    assert high > 300


def test_with_too_few_samples_nothing_is_drawn() -> None:
    bare = results(told.curve("sync", "closed", told.point(1)))
    figure = spectrum_figure(bare, "noop", "closed")
    assert [text.get_text() for text in figure.axes[0].texts] == ["too few samples"]
    assert "too few samples" in spectrum_alt(bare, "noop", "closed")


def test_the_words_for_those_who_cannot_see_it() -> None:
    assert spectrum_alt(closed(), "noop", "closed") == (
        "Percentiles of response times at 8 users. sync: 50 % within 10 ms, 90 % within 12 ms,"
        " 99 % within 20 ms, 99.9 % within 300 ms; async: 50 % within 1 ms, 90 % within 2 ms,"
        " 99 % within 8 ms."
    )
