"""The answer in ten lines, whatever the run and the width."""

import io

import pytest
from rich.console import Console

from tests import runs, supposed
from tests.supposed import Made, Outcome, level, stops
from twinbench.analyse.results import Results
from twinbench.findings import Item
from twinbench.report.answer import answer
from twinbench.report.terminal import MORE, MOST_LINES, NAMES, lines, show

LOADS = (1, 8, 32, 64, 128, 256)
SIZED = ("sync_sized", "async_sized")
# As many scenarios and loads as the plan `bench` has, and as different.
BENCH = [
    Made("noop", {load: Outcome(1.4 + load / 500) for load in LOADS}, kind="cpu"),
    Made("read_post", dict(zip(LOADS, [Outcome(0.8)] * 3 + [stops("sync")] * 3, strict=True))),
    Made("read_post_sized", {load: Outcome(0.7) for load in LOADS}, targets=SIZED),
    Made("list_posts", {load: Outcome(0.75) for load in LOADS}, targets=SIZED),
    Made("fetch", dict(zip(LOADS, [level()] * 5 + [Outcome(1.13)], strict=True))),
    Made("compute", dict(zip(LOADS, [level()] * 2 + [Outcome(1.1)] * 4, strict=True)), kind="cpu"),
    Made(
        "mix",
        dict(zip(LOADS, [level()] * 2 + [Outcome(0.8)] * 3 + [stops("sync")], strict=True)),
        kind="mixed",
    ),
]


def many(count: int) -> Results:
    kinds = ["io", "cpu", "mixed"]
    made = [
        Made(f"scenario_number_{n}", {n + 1: Outcome(1.1), 99: stops("sync")}, kind=kinds[n % 3])
        for n in range(count)
    ]
    return supposed.results(*made)


def test_the_plan_bench_takes_ten_lines_with_the_path_and_no_sentence_is_lost() -> None:
    results = supposed.results(*BENCH)
    found = lines(results, 100)
    assert len(found) <= MOST_LINES
    assert all(len(line) <= 100 for line in found)
    text = " ".join(line.strip() for line in found)
    for forms in zip(*(answer(results, names) for names in NAMES), strict=True):
        assert any(f"- {said.text}" in text for said in forms)
    assert "✓ 400 cells valid · 20 collapsed · ! not calibrated" in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("count", [1, 3, 30])
def test_nothing_takes_more_than_ten_lines_if_there_is_room_for_a_sentence(
    width: int, count: int
) -> None:
    found = lines(many(count), width)
    assert len(found) <= MOST_LINES
    assert found[0].startswith("- ")
    assert all(len(line) <= width for line in found)


def test_names_are_given_up_before_sentences() -> None:
    few, long = lines(many(3), 120), lines(many(30), 60)
    assert any("scenario_number_0 at 1 user" in line for line in few)
    assert MORE not in few
    assert MORE in long


def test_a_run_that_nobody_should_believe_is_marked() -> None:
    failed = Item(number=3, name="a [bold]queue[/bold]", verdict="FAIL", said="")
    results = supposed.results(Made("wait", {8: supposed.VOID})).model_copy(
        update={"calibration": runs.calibration(failed)}
    )
    console = Console(file=io.StringIO(), width=100)
    show(results, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.startswith("- Nothing can be said: all 10 cells are void")
    assert "! calibration FAILED: check 3 (a [bold]queue[/bold])" in shown
