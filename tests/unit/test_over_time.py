"""Timelines as pictures, by their data, and as words."""

import matplotlib.colors as mcolors
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tests import runs, told
from twinbench.analyse.results import Results, Timeline
from twinbench.report import style
from twinbench.report.charts import timeline_figure
from twinbench.report.over_time import silence, timeline_alt, within_ms

BUSY = [[0, 0], [40, 0], [30, 10], [20, 20], [0, 40], [0, 3]]
QUIET = [[0, 0], [400, 0], [400, 0], [400, 0], [400, 0], [0, 0]]


def results(*timelines: Timeline) -> Results:
    return told.results(runs.plan(), timelines=list(timelines))


def drawn(figure: Figure) -> tuple[Axes, list[Axes]]:
    """The heatmap and the panels."""
    heat, *rest = figure.axes
    return heat, rest


def mesh_of(axes: Axes) -> QuadMesh:
    [mesh] = [c for c in axes.collections if isinstance(c, QuadMesh)]
    return mesh


def test_the_heatmap_has_every_count_at_its_place_and_nothing_where_nothing_came() -> None:
    one = told.timeline("sync", BUSY)
    mesh = mesh_of(drawn(timeline_figure(results(one), one))[0])
    counts: np.ma.MaskedArray = np.ma.asarray(mesh.get_array())
    assert counts.filled(0).T.tolist() == BUSY
    assert counts.count() == 7
    legend = timeline_figure(results(one), one).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["1 answer", "10"]
    corners = np.asarray(mesh.get_coordinates())
    assert corners[0, :, 0].tolist() == one.seconds
    assert corners[:, 0, 1].tolist() == one.latency_ms


def test_timelines_side_by_side_have_one_scale() -> None:
    slow = told.timeline("sync", BUSY, loop_lag_ms=[2.0], sampled_s=[0.1])
    fast = told.timeline(
        *("async", QUIET),
        seconds=[-0.1, 0, 0.4, 0.8, 1.2, 1.6, 2.0],
        latency_ms=[0.1, 1.0, 10.0],
        loop_lag_ms=[80.0],
        sampled_s=[0.1],
    )
    figures = [timeline_figure(results(slow, fast), t) for t in (slow, fast)]
    heats, panels = zip(*map(drawn, figures), strict=True)
    for axes in (heats, [below[0] for below in panels]):
        assert axes[0].get_xlim() == axes[1].get_xlim() == (-0.5, 2.5)
        assert axes[0].get_ylim() == axes[1].get_ylim()
    assert heats[0].get_ylim() == pytest.approx((0.1 / 1.25, 100 * 1.25))
    assert mesh_of(heats[0]).norm.vmax == mesh_of(heats[1]).norm.vmax == 400
    assert panels[0][0].get_ylim()[1] > 80


def test_each_target_has_its_colour() -> None:
    pair = [told.timeline(name, BUSY) for name in ("sync", "async")]
    for timeline, colour in zip(pair, (style.BASELINE, style.CANDIDATE), strict=True):
        mesh = mesh_of(drawn(timeline_figure(results(*pair), timeline))[0])
        assert mcolors.to_hex(mesh.get_cmap()(1.0)) == colour


def test_only_that_is_drawn_of_which_somebody_has_a_value() -> None:
    one = told.timeline("sync", BUSY, sampled_s=[0.0, 0.5], threads_waiting=[None, 216.0])
    other = told.timeline("async", BUSY, sampled_s=[0.0], threads_waiting=[0.0])
    for timeline in (one, other):
        [panel] = drawn(timeline_figure(results(one, other), timeline))[1]
        assert panel.get_title(loc="left") == "requests waiting for a thread"
        [line] = panel.get_lines()
        assert np.asarray(line.get_xdata()).tolist() == timeline.sampled_s
    assert drawn(timeline_figure(results(other), other))[1] == []


def test_threads_and_connections_share_a_panel_and_say_how_many_on_hover() -> None:
    one = told.timeline(
        *("sync", BUSY), sampled_s=[0.0], threads_waiting=[216.0], connections_waiting=[25.0]
    )
    [panel] = drawn(timeline_figure(results(one), one))[1]
    assert [line.get_gid() for line in panel.get_lines()] == [
        "hover:waiting for a thread: up to 216 requests",
        "hover:waiting for a connection: up to 25 requests",
    ]


def test_what_is_not_in_the_window_is_shaded() -> None:
    one = told.timeline("sync", BUSY)
    heat, _ = drawn(timeline_figure(results(one), one))
    shades = [patch for patch in heat.patches if isinstance(patch, Rectangle)]
    assert [(s.get_x(), s.get_x() + s.get_width()) for s in shades] == [(-0.5, 0.0), (2.0, 2.5)]


SILENT = [[0, 0], [9, 0], *[[0, 0]] * 8, [0, 2], [0, 0]]
HALVES = [n / 2 for n in range(-1, 12)]


def test_a_collapse_ends_what_is_measured() -> None:
    fallen = told.timeline("sync", BUSY[:2], seconds=[-1.0, -0.5, 0.5])
    alive = told.timeline("async", BUSY)
    heat, _ = drawn(timeline_figure(results(fallen, alive), fallen))
    shades = [patch for patch in heat.patches if isinstance(patch, Rectangle)]
    assert [(s.get_x(), s.get_x() + s.get_width()) for s in shades] == [(-1.0, 0.0), (0.5, 2.5)]


def test_a_silence_is_the_longest_time_without_an_answer() -> None:
    timeline = told.timeline("sync", SILENT, seconds=HALVES, window_s=5.0)
    assert silence(timeline) == (0.5, 4.5)
    heat, _ = drawn(timeline_figure(results(timeline), timeline))
    assert [text.get_text() for text in heat.texts] == ["no answer\nfor 4 s"]


def test_after_the_last_answer_it_is_silent_too() -> None:
    timeline = told.timeline("sync", [*SILENT[:2], *[[0, 0]] * 10], seconds=HALVES)
    assert silence(timeline) == (0.5, 5.5)
    never = told.timeline("sync", [[]] * 12, seconds=HALVES, latency_ms=[])
    assert silence(never) == (-0.5, 5.5)
    timeline_figure(results(never), never)


def test_between_slow_answers_it_is_not_silent() -> None:
    slow = told.timeline("sync", SILENT, seconds=HALVES, latency_ms=[1e3, 1e4, 1e5])
    assert silence(slow) is None
    assert silence(told.timeline("sync", BUSY)) is None


def test_so_many_percent_took_no_longer() -> None:
    timeline = told.timeline("sync", BUSY)
    # 40 answers within 10 ms in the first half second, 30 of 40 in the next.
    assert within_ms(timeline, 99, 0.0, 0.5) == 10
    assert within_ms(timeline, 75, 0.5, 1.0) == 10
    assert within_ms(timeline, 76, 0.5, 1.0) == 100
    assert within_ms(timeline, 50, -0.5, 0.0) is None


def test_the_words_for_those_who_cannot_see_it() -> None:
    timeline = told.timeline(
        *("sync", BUSY),
        sampled_s=[0.0, 1.0],
        loop_lag_ms=[0.5, 83.2],
        threads_waiting=[0.0, 216.0],
        connections_waiting=[None, 25.0],
    )
    assert timeline_alt(results(timeline), timeline) == (
        "sync at 8 users: 163 answers in 3 s, half of them within 10 ms and 99 % within 100 ms."
        " In the first third of the window half of them within 10 ms, in the last within 100 ms."
        " The event loop is up to 83.2 ms late. Up to 216 requests wait for a thread and up to 25"
        " requests wait for a connection."
    )


def test_the_words_of_a_silence() -> None:
    never = told.timeline("sync", [[]] * 12, seconds=HALVES, latency_ms=[])
    assert timeline_alt(results(never), never) == (
        "sync at 8 users: 0 answers in 6 s. No answer for 6 s, from -0.5 s on."
    )
