"""The map of IO and CPU: tiles, the line of equality, sentences."""

import math

import matplotlib.colors as mcolors
import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from tests import runs, told
from twinbench.analyse.results import Comparison, Crossover, Decision, Results
from twinbench.plan import Load, Plan
from twinbench.report import style
from twinbench.report.charts import map_figure
from twinbench.report.grid import grid, map_alt, map_words

LOADS = (1, 8, 64)
SOLID, DOTTED = 2.2, 1.4  # widths of the line
Told = float | str | None


def plan(*shares: float | None) -> Plan:
    return runs.plan(
        scenarios=[
            {
                "name": f"s{n}",
                "kind": "mixed",
                "requests": [{"path": "/"}],
                "closed": list(LOADS),
                "cpu_share": share,
            }
            for n, share in enumerate(shares)
        ]
    )


def compared(n: int, users: int, value: Told) -> Comparison:
    """A number: a ratio, decided if it is 10 % from 1; a name: who goes on alone; or nothing."""
    load, name = Load("closed", users), f"s{n}"
    if isinstance(value, float):
        decided: Decision = "faster" if value >= 1.1 else "slower"
        inside = 1 / 1.1 < value < 1.1
        decision: Decision = "no difference shown" if inside else decided
        return told.comparison(load, value, decision, scenario=name)
    return told.comparison(load, None, "not comparable", scenario=name, survivor=value)


def results(*rows: tuple[Told, ...], shares: tuple[float, ...] = (0.0, 0.5, 1.0)) -> Results:
    made = [
        compared(n, users, value)
        for n, row in enumerate(rows)
        for users, value in zip(LOADS, row, strict=True)
    ]
    return told.results(plan(*shares[: len(rows)]), comparisons=made)


def lines(figure: Figure, width: float) -> list[np.ndarray]:
    """Corners of the contours of that width, in tiles: 0 is the middle of the first."""
    return [
        vertices
        for contour in figure.axes[0].collections
        if np.asarray(contour.get_linewidth()).tolist() == [width]
        and isinstance(contour, ContourSet)
        for path in contour.get_paths()
        if len(vertices := np.asarray(path.vertices))
    ]


def tiles(figure: Figure) -> list[Rectangle]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_line_runs_where_the_logarithm_of_the_ratio_is_zero() -> None:
    """0.5 and 4: log 2 below and 2 log 2 above, so a third of the way from tile to tile."""
    figure = map_figure(results((0.5, 4.0, 4.0), (0.5, 4.0, 4.0)))
    [line] = lines(figure, SOLID)
    assert line[:, 0] == pytest.approx(np.full(len(line), 1 / 3))
    # Through the outermost tiles, to their edges.
    assert (line[:, 1].min(), line[:, 1].max()) == pytest.approx((-0.5, 1.5))


def test_the_line_moves_with_the_share() -> None:
    figure = map_figure(results((0.5, 2.0, 2.0), (0.5, 0.5, 2.0)))
    [line] = lines(figure, SOLID)
    top, bottom = (line[np.isclose(line[:, 1], y), 0] for y in (0, 1))
    assert top == pytest.approx([0.5])
    assert bottom == pytest.approx([1.5])


def test_where_one_goes_on_alone_the_line_runs_before_its_tile() -> None:
    figure = map_figure(results((0.5, "async", "async"), (0.5, "async", "async")))
    [line] = lines(figure, SOLID)
    assert line[:, 0] == pytest.approx(np.full(len(line), 0.5))
    assert texts(figure)[:2] == ["0.50×", "async\nonly"]


def test_through_what_is_not_decided_the_line_is_only_dotted() -> None:
    figure = map_figure(results((0.5, 1.05, 2.0), (0.5, 1.05, 2.0)))
    assert lines(figure, SOLID) == []
    [line] = lines(figure, DOTTED)
    at = math.log(2) / (math.log(2) + math.log(1.05))
    assert line[:, 0] == pytest.approx(np.full(len(line), at))
    assert texts(figure)[1] == "1.05×?"


def test_where_one_is_ahead_nowhere_noise_draws_no_line() -> None:
    made = results((0.98, 1.02, 2.0), (1.01, 0.99, 2.0))
    figure = map_figure(made)
    assert lines(figure, SOLID) + lines(figure, DOTTED) == []
    assert "No line of equality is drawn" in map_words(made)[-1]


@pytest.mark.parametrize("row", [(2.0, 2.0, 2.0), (None, None, None), (None, 0.5, "sync")])
def test_where_nobody_overtakes_there_is_no_line(row: tuple[Told, ...]) -> None:
    figure = map_figure(results(row, row))
    assert lines(figure, SOLID) + lines(figure, DOTTED) == []
    assert "both are equal" not in [t.get_text() for t in figure.legends[0].get_texts()]


def test_the_line_stops_at_what_is_void() -> None:
    figure = map_figure(results((0.5, 2.0, 2.0), (0.5, 2.0, 2.0), (0.5, None, 2.0)))
    [line] = lines(figure, SOLID)
    assert line[:, 1].max() < 2


def test_what_cannot_be_compared_is_hatched_and_all_tiles_are_of_one_size() -> None:
    figure = map_figure(results((0.5, None, 2.0), (0.5, "async", 2.0)))
    hatched = [tile.get_hatch() for tile in tiles(figure)]
    assert hatched == [None, "////", None, None, None, None]
    assert texts(figure)[1] == "–"
    assert {(t.get_width(), t.get_height()) for t in tiles(figure)} == {(0.94, 0.9)}
    assert tiles(figure)[1].get_gid() == "hover:0 % compute, 8 users: not comparable"


def test_colours_say_who_and_opacity_by_how_much() -> None:
    figure = map_figure(results((0.25, 2.0, 4.0), (0.5, "sync", 40.0)))
    colours = [mcolors.to_hex(tile.get_facecolor()) for tile in tiles(figure)]
    before, after = style.BASELINE, style.CANDIDATE
    assert colours == [before, after, after, before, before, after]
    opacities = [mcolors.to_rgba(tile.get_facecolor())[3] for tile in tiles(figure)]
    quarter, twice, four, half, alone, forty = opacities
    assert [quarter, four, alone, forty] == pytest.approx([0.6] * 4)
    assert [twice, half] == pytest.approx([(0.15 + 0.6) / 2] * 2)


def test_what_is_not_decided_has_the_colour_of_nobody() -> None:
    figure = map_figure(results((0.5, 1.05, 2.0), (0.5, 0.5, 2.0)))
    undecided = tiles(figure)[1]
    assert mcolors.to_hex(undecided.get_facecolor()) == style.PALE
    [legend] = figure.legends
    told = dict(zip([t.get_text() for t in legend.get_texts()], legend.legend_handles, strict=True))
    assert {"not decided (?)", "equal, not decided"} <= set(told)
    swatch = told["not decided (?)"]
    assert isinstance(swatch, Patch)
    assert mcolors.to_hex(swatch.get_facecolor()) == style.PALE
    assert mcolors.to_hex(swatch.get_edgecolor()) == style.GREY


def test_rows_are_ordered_by_share_and_labelled() -> None:
    figure = map_figure(results((0.5, 0.5, 0.5), (2.0, 2.0, 2.0), shares=(1.0, 0.25)))
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["25 %", "100 %"]
    assert texts(figure)[0] == "2.00×"
    assert figure.axes[0].get_ylim() == (1.5, -0.5)  # from above


def test_one_share_is_no_map() -> None:
    assert grid(results((0.5, 0.5, 2.0))) == []
    made = results((0.5, 0.5, 2.0), (0.5, 0.5, 2.0))
    assert grid(made.model_copy(update={"plan": plan(0.5, None)})) == []
    assert map_words(results((0.5, 0.5, 2.0))) == []


def test_the_sentences_say_who_is_ahead_where_it_is_decided() -> None:
    made = results((1.0, 2.0, "async"), (0.5, 1.01, 2.0), (1.0, 1.05, 0.97))
    assert map_words(made)[:3] == [
        "With 0 % of the requests computing, async is ahead from 8 users on.",
        "With 50 % of the requests computing, sync is ahead at 1 user; async is ahead at 64 users.",
        "With 100 % of the requests computing, nobody is shown to be ahead.",
    ]


def test_neighbouring_shares_of_which_the_same_is_true_share_a_sentence() -> None:
    made = results((2.0, 1.0, 3.0), (4.0, 1.0, 5.0), (2.0, 3.0, 4.0))
    assert map_words(made)[:2] == [
        "With 0 % to 50 % of the requests computing, async is ahead at 1 user and at 64 users.",
        "With 100 % of the requests computing, async is ahead at every number of users.",
    ]


def test_where_the_candidate_overtakes_is_said_with_its_interval() -> None:
    row = (0.5, 1.0, 2.0)
    common = {"load_kind": "closed", "baseline": "sync", "candidate": "async"}
    crossovers = [
        Crossover.model_validate(common | changes)
        for changes in (
            {"scenario": "s0", "metric": "p99", "found": "crossover", "at": 3.0},
            {"scenario": "s0", "metric": "throughput", "found": "crossover", "at": 9.7}
            | {"low": 6.2, "high": 21.0},
            {"scenario": "s1", "metric": "throughput", "found": "crossover"}
            | {"low": 8.0, "high": 64.0},
            {"scenario": "s2", "metric": "throughput", "found": "none"},
        )
    ]
    made = results(row, row, row).model_copy(update={"crossovers": crossovers})
    assert map_words(made)[-1] == (
        "async overtakes sync at 10 users (6 to 21) with 0 %, 8 to 64 users with 50 %."
    )


def test_the_words_for_those_who_cannot_see_it() -> None:
    assert map_alt(results((0.5, 1.05, "async"), (None, 2.0, 2.0))) == (
        "Throughput, async / sync, by the share of requests that compute and by users."
        " 0 %: 0.50× at 1, 1.05×? at 8, async only at 64;"
        " 50 %: not comparable at 1, 2.00× at 8, 2.00× at 64."
    )
