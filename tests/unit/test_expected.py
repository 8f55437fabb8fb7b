"""What curves are held against: bounds, fits, promises; and what a chart says of them."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests import runs
from twinbench.analyse.results import (
    Bound,
    Capacity,
    Curve,
    Estimate,
    Law,
    Objective,
    Results,
    Usl,
)
from twinbench.analyse.run import analyse
from twinbench.report import style
from twinbench.report.charts import curve_alt, curve_figure
from twinbench.report.charts.expected import fitted_rps, predicted_rps

WAIT = Law(
    at=1,
    service_ms=50,
    bounds=[
        Bound(by="users", limit=1, rps=20),
        Bound(by="threads", limit=40, rps=800),
        Bound(by="cpu", limit=0.5, rps=2000),
    ],
    predicted_rps=[20, 160, 800],
)
USL = Usl(rate_rps=100, contention=0.1, coherency=0.01, r2=0.987, low=8, high=64)


def made(tmp_path: Path, **changes: object) -> Results:
    """Both targets answer 2,000 requests a second at 1, 8, 64 users; `changes` to sync's curve."""
    scenario = runs.plan().scenarios[0].model_dump() | {"closed": [1, 8, 64]}
    store = runs.write_run(
        tmp_path, runs.plan(scenarios=[scenario]), lambda cell: runs.steady(cell, 2000)
    )
    results = analyse(store)
    sync, other = results.curves
    plain: dict[str, object] = {"capacity": None, "objective": None, "law": None}
    curves = [sync.model_copy(update=plain | changes), other.model_copy(update=plain)]
    return results.model_copy(update={"curves": curves})


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts() if text.get_text()]


def test_the_least_bound_is_predicted() -> None:
    found = predicted_rps(WAIT, np.array([1, 8, 40, 64, 1000]))
    assert found.tolist() == [20, 160, 800, 800, 800]


def test_the_scalability_law_by_hand() -> None:
    # 2 users: 200 / (1 + 0.1 + 0.01 * 2); 1 user: the rate itself.
    assert fitted_rps(USL, np.array([1, 2])) == pytest.approx([100, 200 / 1.12])


def test_bounds_are_drawn_and_named(tmp_path: Path) -> None:
    figure = curve_figure(made(tmp_path, law=WAIT), "noop", "closed", "throughput")
    [dotted] = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == ":"]
    xs, ys = np.asarray(dotted.get_xdata()), np.asarray(dotted.get_ydata())
    assert (xs[0], xs[-1], ys[0], ys[-1]) == pytest.approx((1, 64, 20, 800))
    assert legend(figure) == ["sync", "800/s: 40 threads / 50 ms", "async"]


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (WAIT.bounds[:1], "20/s a user: 50 ms each"),
        (WAIT.bounds[::2], "20/s a user: 50 ms each"),
        ([Bound(by="connections", limit=15, rps=300)], "300/s: 15 connections / 50 ms"),
        ([Bound(by="cpu", limit=1.25, rps=800)], "800/s: 1.25 ms of CPU each"),
    ],
)
def test_a_bound_is_said_by_its_cause(tmp_path: Path, bounds: list[Bound], said: str) -> None:
    law = WAIT.model_copy(update={"bounds": bounds, "predicted_rps": []})
    figure = curve_figure(made(tmp_path, law=law), "noop", "closed", "throughput")
    assert legend(figure)[1] == said


@pytest.mark.parametrize(("predicted", "room"), [(3000.0, 3360), (50_000.0, 3584)])
def test_a_prediction_has_room_but_does_not_flatten_the_curve(
    tmp_path: Path, predicted: float, room: float
) -> None:
    law = WAIT.model_copy(update={"predicted_rps": [20.0, 160.0, predicted]})
    figure = curve_figure(made(tmp_path, law=law), "noop", "closed", "throughput")
    assert figure.axes[0].get_ylim()[1] == pytest.approx(room)


def test_a_fit_is_drawn_within_its_range_only(tmp_path: Path) -> None:
    law = WAIT.model_copy(update={"usl": USL})
    figure = curve_figure(made(tmp_path, law=law), "noop", "closed", "throughput")
    [thin] = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 0.8]
    xs = np.asarray(thin.get_xdata())
    assert (xs.min(), xs.max()) == pytest.approx((8, 64))
    assert "scalability law, R² 0.99" in legend(figure)


def test_the_capacity_is_ringed(tmp_path: Path) -> None:
    capacity = Capacity(value=8, throughput_rps=Estimate(estimate=2000), at_edge=False)
    figure = curve_figure(made(tmp_path, capacity=capacity), "noop", "closed", "throughput")
    rings = [line for line in figure.axes[0].get_lines() if line.get_markersize() == 12]
    assert [np.asarray(line.get_xydata())[0].tolist() for line in rings] == [[8, 2000]]
    assert rings[0].get_gid() == "hover:capacity of sync: 2,000/s at 8 users"


@pytest.mark.parametrize(("slo_ms", "drawn"), [(20.0, True), (5000.0, False)])
def test_what_is_promised_is_drawn_where_it_is_in_the_picture(
    tmp_path: Path, slo_ms: float, drawn: bool
) -> None:
    results = made(tmp_path, objective=Objective(slo_ms=slo_ms, value=8, until="missed"))
    said = {
        metric: legend(curve_figure(results, "noop", "closed", metric)) for metric in ("p50", "p99")
    }
    assert (f"promised: {slo_ms:g} ms" in said["p99"]) == drawn
    assert said["p50"] == ["sync", "async"]


def test_median_and_p99_share_their_range(tmp_path: Path) -> None:
    results = made(tmp_path)
    for curve in results.curves:
        curve.points[0].p99_ms = Estimate(estimate=300)  # no median comes near it
    median, tail = (curve_figure(results, "noop", "closed", m).axes[0] for m in ("p50", "p99"))
    assert median.get_ylim() == tail.get_ylim()
    assert median.get_position().bounds[::2] == tail.get_position().bounds[::2]


def test_the_band_is_the_interval_of_the_estimate(tmp_path: Path) -> None:
    results = made(tmp_path)
    curve: Curve = results.curves[0]
    wide = Estimate(estimate=500, low=400, high=650)
    points = [p.model_copy(update={"throughput_rps": wide}) for p in curve.points]
    spread = curve.model_copy(update={"points": points})
    results = results.model_copy(update={"curves": [spread, results.curves[1]]})
    figure = curve_figure(results, "noop", "closed", "throughput")
    whiskers = figure.axes[0].collections[2].get_paths()
    assert [np.asarray(path.vertices)[:, 1].tolist() for path in whiskers] == [[400, 650]] * 3
    band = np.asarray(figure.axes[0].collections[1].get_paths()[0].vertices)[:, 1]
    assert (band.min(), band.max()) == (400, 650)


def test_the_alternative_text_says_what_a_curve_does(tmp_path: Path) -> None:
    results = made(tmp_path)
    points = [
        point.model_copy(update={"p99_ms": Estimate(estimate=value), "collapsed": collapsed})
        for point, value, collapsed in zip(
            results.curves[0].points, (5, 3, 9), (0, 0, 2), strict=True
        )
    ]
    nothing = [point.model_copy(update={"p99_ms": None}) for point in points[:2]]
    curves = [
        results.curves[0].model_copy(update={"points": points}),
        results.curves[1].model_copy(update={"points": nothing}),
    ]
    results = results.model_copy(update={"curves": curves})
    assert curve_alt(results, "noop", "closed", "p99") == (
        "Latency, 99th percentile (ms), noop."
        " sync: 5 at 1 user, 3 at 8 users, 9 at 64 users, stops answering at 64 users."
        " async: nothing valid."
    )


def test_every_colour_of_a_chart_follows_the_page(tmp_path: Path) -> None:
    """A new colour that is in no palette would be as it is on paper, also in the dark."""
    law = WAIT.model_copy(update={"usl": USL})
    figure = curve_figure(made(tmp_path, law=law), "noop", "closed", "throughput")
    used = {line.get_color() for line in figure.axes[0].get_lines()}
    plain = {colour if isinstance(colour, str) else colour[0] for colour in used}
    assert plain <= set(style.VARIABLES)
