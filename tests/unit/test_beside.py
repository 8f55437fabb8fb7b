"""Interference: which scenarios belong together, the picture, the sentences."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from tests import runs, told
from twinbench.analyse.results import Comparison, Curve, Point, Results
from twinbench.plan import Load
from twinbench.report.beside import (
    Interference,
    Setting,
    interference_alt,
    interference_words,
    interferences,
    mix_of,
)
from twinbench.report.charts import interference_figure

NOOP: dict[str, object] = {"path": "/noop"}
OTHER: dict[str, object] = {"path": "/other"}


def neighbour(weight: int) -> dict[str, object]:
    return {"path": "/slow", "weight": weight, "neighbour": True}


def scenario(name: str, rates: list[int], *requests: dict[str, object]) -> dict[str, object]:
    return {"name": name, "kind": "io", "requests": list(requests), "open": rates}


ALONE = scenario("noop_alone", [500, 1000], NOOP)
WAIT = scenario("noop_beside_wait", [800, 1600], NOOP | {"weight": 5}, neighbour(3))
COMPUTE = scenario("noop_beside_compute", [530, 1060], NOOP | {"weight": 50}, neighbour(3))


def results(
    *scenarios: dict[str, object],
    curves: list[Curve] | None = None,
    comparisons: list[Comparison] | None = None,
) -> Results:
    return told.results(
        runs.plan(scenarios=list(scenarios)),
        curves=curves or [],
        comparisons=comparisons or [],
        calibration=runs.calibration(),
    )


def curves(name: str, target: str, *points: Point) -> Curve:
    return told.curve(target, "open", *points, scenario=name)


def test_settings_are_paired_by_the_rate_of_what_is_timed() -> None:
    others = scenario("other", [500, 1000], OTHER), scenario("crowd", [800], OTHER, neighbour(1))
    closed: dict[str, object] = {"name": "noop", "kind": "cpu", "requests": [NOOP], "closed": [8]}
    assert interferences(results(closed, *others, COMPUTE, ALONE, WAIT)) == [
        Interference(
            1000,
            ["sync", "async"],
            Setting("noop_alone", 1000),
            [Setting("noop_beside_compute", 1060), Setting("noop_beside_wait", 1600)],
        )
    ]


def test_the_rate_is_one_that_all_have() -> None:
    low = scenario("noop_beside_other", [1000], NOOP, neighbour(1))
    [found] = interferences(results(ALONE, WAIT, low))
    assert found.rate == 500
    assert found.beside == [Setting("noop_beside_wait", 800), Setting("noop_beside_other", 1000)]


def test_a_rate_at_which_less_is_void_tells_more() -> None:
    valid, void = told.point(800, p50=1.0), told.point(1600, status="void")
    alone = [curves("noop_alone", "sync", told.point(500), told.point(1000))]
    beside = [curves("noop_beside_wait", "sync", valid, void)]
    assert interferences(results(ALONE, WAIT, curves=alone + beside))[0].rate == 500


@pytest.mark.parametrize(
    "other",
    [
        scenario("mixed", [800, 1600], NOOP, OTHER, neighbour(3)),
        scenario("regular", [1000], NOOP, neighbour(1)) | {"arrivals": "constant"},
        scenario("elsewhere", [700], NOOP, neighbour(1)),
    ],
)
def test_what_times_something_else_is_not_put_beside_it(other: dict[str, object]) -> None:
    assert interferences(results(ALONE, other)) == []


def measured(decision: Comparison | None = None) -> Results:
    stuck = told.point(1600, status="collapsed")
    return results(
        *(ALONE, WAIT, COMPUTE),
        curves=[
            curves("noop_alone", "sync", told.point(1000, p50=0.5, p99=(4.0, 3.5, 4.5))),
            curves("noop_alone", "async", told.point(1000, p50=0.4, p99=(1.5, 1.2, 1.9))),
            curves("noop_beside_wait", "sync", stuck),
            curves("noop_beside_wait", "async", told.point(1600, p50=0.4, p99=(1.8, 1.5, 2.5))),
            curves("noop_beside_compute", "sync", told.point(1060, p50=2.0, p99=(12.0, 11, 13))),
            curves("noop_beside_compute", "async", told.point(1060, p50=6.0, p99=(48.0, 40, 60))),
        ],
        comparisons=[decision] if decision else [],
    )


def lines(figure: Figure) -> dict[str, tuple[float, float]]:
    """Where each marker is, by what it says on hover."""
    return {
        str(line.get_gid()).removeprefix("hover:"): (
            float(np.asarray(line.get_xdata())[0]),
            float(np.asarray(line.get_ydata())[0]),
        )
        for line in figure.axes[0].get_lines()
        if line.get_gid()
    }


def test_each_setting_has_a_line_each_target_a_marker() -> None:
    made = measured()
    figure = interference_figure(made, interferences(made)[0])
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == [
        "noop alone",
        "noop beside wait\n+ 600/s of slow",
        "noop beside compute\n+ 60/s of slow",
    ]
    found = lines(figure)
    assert found["noop beside compute, async: p99 48 ms"] == pytest.approx((48, 2.17))
    assert found["noop beside compute, async: median 6 ms"] == pytest.approx((6, 2.17))
    assert found["noop alone, sync: p99 4 ms"] == pytest.approx((4, -0.17))
    assert len(found) == 10
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    assert texts["stops answering"].get_position()[1] == pytest.approx(0.83)
    note = texts["48"]
    assert isinstance(note, Annotation)
    assert note.xy == pytest.approx((60, 2.17))


def test_intervals_are_drawn_from_low_to_high() -> None:
    made = measured()
    figure = interference_figure(made, interferences(made)[0])
    bands = [
        tuple(np.asarray(line.get_xdata()).tolist())
        for line in figure.axes[0].get_lines()
        if line.get_linewidth() == 5
    ]
    assert (40.0, 60.0) in bands
    assert len(bands) == 5


def test_nothing_measured_is_a_picture_that_says_so() -> None:
    bare = results(ALONE, WAIT)
    figure = interference_figure(bare, interferences(bare)[0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["not measured"] * 4


def test_the_sentences_say_how_many_times_it_takes_beside_neighbours() -> None:
    """Async alone and beside wait: both under twice the floor of 1 ms."""
    made = measured()
    assert interference_words(made, interferences(made)[0]) == [
        "noop alone (1,000 requests/s of noop), p99: 4 ms in sync, 1.5 ms in async.",
        "noop beside wait (1,000 requests/s of noop, beside 600/s of slow), p99:"
        " sync stops answering, 1.8 ms in async (too near this machine's floor to be compared).",
        "noop beside compute (1,000 requests/s of noop, beside 60/s of slow), p99:"
        " 12 ms in sync (3 times that alone),"
        " 48 ms in async (32 times that alone).",
    ]


def test_where_intervals_overlap_no_difference_is_said() -> None:
    made = results(
        *(ALONE, WAIT),
        curves=[
            curves("noop_alone", "sync", told.point(1000, p99=(4.0, 3.0, 5.0))),
            curves("noop_beside_wait", "sync", told.point(1600, p99=(6.0, 4.9, 8.0))),
        ],
    )
    assert interference_words(made, interferences(made)[0])[1] == (
        "noop beside wait (1,000 requests/s of noop, beside 600/s of slow), p99:"
        " 6 ms in sync (no difference from alone shown),"
        " nothing known of async."
    )


@pytest.mark.parametrize(
    ("load", "decision", "said"),
    [
        (1060, "slower", "; sync answers sooner there: its p99 is 0.25× that of async."),
        (530, "slower", " (32 times that alone)."),
        (1060, "no difference shown", " (32 times that alone)."),
    ],
)
def test_who_answers_sooner_is_said_where_it_is_decided(
    load: int, decision: str, said: str
) -> None:
    compared = told.comparison(
        Load("open", load), 4.0, scenario="noop_beside_compute", metric="p99"
    ).model_copy(update={"decision": decision})
    made = measured(compared)
    assert interference_words(made, interferences(made)[0])[2].endswith(said)


def test_the_words_for_those_who_cannot_see_it() -> None:
    made = measured()
    said = interference_alt(made, interferences(made)[0])
    assert said.startswith(
        "Response times of one route at 1,000 requests/s, alone and beside neighbours."
        " noop alone: p99 4 ms in sync, median 0.5 ms;"
    )
    assert "noop beside wait: p99 sync stops answering;" in said


def test_paths_lose_the_folder_that_all_of_them_are_in() -> None:
    here: dict[str, object] = {"path": "/work/noop"}
    slow: dict[str, object] = {"path": "/work/wait?to=/a/b", "neighbour": True}
    made = results(scenario("alone", [10], here), scenario("beside", [20], here, slow))
    [found] = interferences(made)
    said = "10 requests/s of noop, beside 10/s of wait?to=/a/b"
    assert mix_of(made, found, found.beside[0]) == said
