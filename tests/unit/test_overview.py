"""The overview picture says what it is, and who is ahead where in a few words."""

from collections.abc import Sequence

from tests import runs, told
from twinbench.analyse.results import Comparison, Decision, Metric, Results
from twinbench.plan import Load, LoadKind
from twinbench.report.charts import overview_figure
from twinbench.report.overview import (
    MOST_LETTERS,
    overview_alt,
    overview_caption,
    overview_title,
)

AGAIN = {"baseline": "sync", "candidate": "sync_again", "same": True}
DECIDED: dict[str, tuple[float, Decision]] = {
    "+": (2.0, "faster"),
    "-": (0.5, "slower"),
    "=": (1.0, "no difference shown"),
    "?": (1.0, "not comparable"),
}


def compared(scenario: str, signs: str, kind: LoadKind = "closed") -> list[Comparison]:
    """At 1, 2, 4 ... users, or so many hundred requests a second."""
    metric: Metric = "throughput" if kind == "closed" else "p99"
    unit = 1 if kind == "closed" else 100
    return [
        told.comparison(Load(kind, unit * 2**n), *DECIDED[sign], scenario=scenario, metric=metric)
        for n, sign in enumerate(signs)
    ]


def results(*found: Sequence[Comparison]) -> Results:
    """Of scenarios of the names that are compared; with a third target, sync_again."""
    names = dict.fromkeys(c.scenario for row in found for c in row)
    again = {row[0].scenario for row in found if row[0].same}
    scenarios = [
        {
            "name": name,
            "kind": "cpu",
            "requests": [{"path": "/"}],
            "closed": [1, 2, 4],
            "targets": ["sync", "sync_again" if name in again else "async"],
        }
        for name in names
    ]
    targets = [{"name": name, "app": "a:app"} for name in ("sync", "async", "sync_again")]
    plan = runs.plan(scenarios=scenarios, targets=targets)
    return told.results(plan, comparisons=[c for row in found for c in row])


def again(row: Sequence[Comparison]) -> list[Comparison]:
    return [comparison.model_copy(update=AGAIN) for comparison in row]


def legend_of(made: Results) -> list[str]:
    return [text.get_text() for text in overview_figure(made, "closed").legends[0].get_texts()]


def test_the_title_says_what_is_divided_and_which_side_is_whose() -> None:
    closed, opened = results(compared("noop", "+")), results(compared("noop", "-", "open"))
    said = "async / sync, answers a second: above 1 async is ahead"
    assert overview_title(closed, "closed") == said
    assert [text.get_text() for text in overview_figure(closed, "closed").texts] == [said]
    assert overview_title(opened, "open") == (
        "async / sync, p99 response time: below 1 async answers sooner"
    )


def test_what_is_measured_twice_is_named_beneath_and_not_in_the_legend() -> None:
    made = results(compared("noop", "+"), again(compared("noop_twice", "=")))
    assert overview_caption(made, "closed") == (
        "noop_twice: sync_again / sync (A/A: one target measured twice)."
    )
    assert legend_of(made) == ["ahead: async", "ahead: sync", "no difference shown"]


def test_what_is_not_compared_is_explained_where_there_is_any() -> None:
    made = results(compared("noop", "+?"))
    assert legend_of(made)[-1] == "not compared: one valid block, or none"


def test_the_alternative_tells_stretches_of_loads() -> None:
    made = results(compared("noop", "+=+"), compared("read", "--="), compared("hash", "=="))
    assert overview_alt(made, "closed") == (
        "async / sync, answers a second: above 1 async is ahead, by users."
        " async ahead: noop 1 and 4. sync ahead: read 1 to 2. nobody ahead: hash."
        " Figures: in the tables."
    )


def test_the_alternative_stays_short_however_many_scenarios_there_are() -> None:
    some = [compared(f"scenario_number_{n}", "+=+") for n in range(20)]
    assert "scenario_number_19." in overview_alt(results(*some), "closed")
    many = [compared(f"scenario_number_{n}", "+-+") for n in range(60)]
    said = overview_alt(results(*many), "closed")
    assert "async ahead in 60 of 60 rows; sync ahead in 60 of 60 rows." in said
    assert len(said) <= MOST_LETTERS
