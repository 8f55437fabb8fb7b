"""Rows and verdict of a comparison of two versions."""

import json
import math
from pathlib import Path

import jsonschema
import pytest

from tests.support import factories, runs
from tests.support.factories import scenario, versions_plan, versions_results
from twinbench.analyse.results import CellStatus, Metric, Results, VersionComparison, VersionVerdict
from twinbench.analyse.statistics import smallest_difference
from twinbench.analyse.verdict import compare_versions
from twinbench.cli.report import make_report
from twinbench.paths import ROOT
from twinbench.plan import Cell, Plan, loads_of
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD

SCHEMA = ROOT / "docs" / "compare.schema.json"
ONE_LOAD = versions_plan(scenarios=[scenario(closed=[8])])
# Log ratios beyond the margin as a single row, but not as one of two: p = 0.0427.
BARELY = (-0.2, -0.3, -0.4)


def with_status(results: Results, status: CellStatus, *where: tuple[str, int]) -> Results:
    """Return the results with the cells of these targets and blocks changed."""
    cells = [
        cell.model_copy(update={"status": status}) if (cell.target, cell.block) in where else cell
        for cell in results.cells
    ]
    return results.model_copy(update={"cells": cells})


def blocks_of(target: str, count: int = 6) -> list[tuple[str, int]]:
    return [(target, block) for block in range(1, count + 1)]


def exact(*logs: float, of: Plan = ONE_LOAD, fail_on: float | None = None) -> Results:
    """Return a run whose head is faster than both bases by these logs, one a block."""
    cells = [
        factories.cell_result(
            target,
            block,
            1000 * math.exp(log if target == HEAD else 0),
            load=load,
            scenario=each.name,
            p99_ms=20 * math.exp(-log if target == HEAD else 0),
        )
        for block, log in enumerate(logs, start=1)
        for each in of.scenarios
        for load in loads_of(each)
        for target in (BASE, HEAD, BASE_AGAIN)
    ]
    versions = factories.compared_versions(fail_on)
    return factories.results(of, cells=cells, compared_versions=versions)


def rows_of(found: VersionComparison) -> list[tuple[str, str, Metric]]:
    return [(row.scenario, row.load.label, row.metric) for row in found.rows]


def test_rows_are_of_each_load_and_metric() -> None:
    plan = versions_plan(
        scenarios=[scenario(closed=[8, 1], open=[50]), scenario(name="b", open=[9])]
    )
    assert rows_of(compare_versions(versions_results(plan))) == [
        *(("noop", "1 user", "throughput"), ("noop", "8 users", "throughput")),
        *(("noop", "50 requests/s", "p99"), ("noop", "50 requests/s", "p50")),
        *(("b", "9 requests/s", "p99"), ("b", "9 requests/s", "p50")),
    ]


def test_users_who_mostly_wait_have_rows_of_response_times() -> None:
    """The load fixes their throughput."""
    waiting = {
        (target, block): {"client": "HttpUser", "in_flight": 1.0}
        for target in (BASE, HEAD, BASE_AGAIN)
        for block in range(1, 7)
    }
    found = compare_versions(versions_results(ONE_LOAD, changed=waiting))
    assert rows_of(found) == [("noop", "8 users", "p99"), ("noop", "8 users", "p50")]


def test_percentile_without_samples_at_any_load_is_left_out() -> None:
    plan = versions_plan(scenarios=[scenario(open=[50, 90])])
    results = versions_results(plan)

    def without_p99(*loads: int) -> list[tuple[str, str, Metric]]:
        cells = [
            cell.model_copy(update={"latency_ms": cell.latency_ms.model_copy(update={"p99": None})})
            if cell.load.value in loads
            else cell
            for cell in results.cells
        ]
        found = compare_versions(results.model_copy(update={"cells": cells}))
        verdicts = {row.load.value: row.verdict for row in found.rows if row.metric == "p99"}
        assert [verdicts.get(load) for load in loads] in ([None, None], ["could not tell"])
        return rows_of(found)

    p50 = [("noop", "50 requests/s", "p50"), ("noop", "90 requests/s", "p50")]
    assert without_p99(50, 90) == p50
    assert len(without_p99(50)) == 4


def test_figures_of_base_are_of_both_measurements() -> None:
    """Base again is slower by 2 %, which is within the margin: head is compared with the mean."""
    changes = {
        (target, block): {"throughput_rps": rps * block, "per_cpu_s": rps}
        for block in range(1, 7)
        for target, rps in ((BASE, 1000.0), (BASE_AGAIN, 980.0), (HEAD, 900.0))
    }
    found = compare_versions(versions_results(ONE_LOAD, changed=changes))
    [row] = found.rows
    mean = math.sqrt(1000 * 980)
    figures = (row.ratio, row.aa_ratio, row.cpu_ratio)
    found_ratios = [figure.estimate for figure in figures if figure]
    assert found_ratios == pytest.approx([900 / mean, 0.98, mean / 900])
    assert row.head
    assert row.base
    assert row.head.estimate / row.base.estimate == pytest.approx(900 / mean)
    assert (row.verdict, found.verdict, row.blocks) == ("slower", "slower", 6)


def test_figures_are_those_of_the_ratio_where_head_misses_blocks() -> None:
    """The machine is faster from block to block, so figures of other blocks would contradict it."""
    results = versions_results(ONE_LOAD, head={"noop": 0.9})
    [row] = compare_versions(with_status(results, "invalid", *blocks_of(HEAD, 4))).rows
    assert row.head
    assert row.base
    assert row.ratio
    assert row.head.estimate / row.base.estimate == pytest.approx(row.ratio.estimate)


def test_row_without_valid_measurements_says_why_they_are_invalid() -> None:
    invalid = {"status": "invalid", "reasons": ["other processes used 90% of the cores"]}
    changed = dict.fromkeys(blocks_of(HEAD), invalid)
    [row] = compare_versions(versions_results(ONE_LOAD, changed=changed)).rows
    assert row.reasons == ["no valid measurements of head", *invalid["reasons"]]


def test_block_needs_one_of_the_two_measurements_of_base() -> None:
    results = versions_results(ONE_LOAD, head={"noop": 0.8})
    one_each = with_status(results, "invalid", (BASE, 1), (BASE, 2), (BASE_AGAIN, 3))
    [row] = compare_versions(one_each).rows
    assert (row.blocks, row.verdict) == (6, "slower")
    [row] = compare_versions(with_status(one_each, "invalid", (BASE_AGAIN, 1), (HEAD, 6))).rows
    assert row.blocks == 4


@pytest.mark.parametrize(
    ("speeds", "verdict", "rows"),
    [
        ((1.0, 1.0), "no difference shown", ["no difference shown"] * 2),
        ((1.0, 0.9), "slower", ["no difference shown", "slower"]),
        ((1.1, 1.0), "faster", ["faster", "no difference shown"]),
        ((1.1, 0.9), "slower", ["faster", "slower"]),
    ],
)
def test_verdict_of_run_is_that_of_its_worst_row(
    speeds: tuple[float, float], verdict: VersionVerdict, rows: list[VersionVerdict]
) -> None:
    plan = versions_plan(scenarios=[scenario(name=name, closed=[8]) for name in "ab"])
    found = compare_versions(versions_results(plan, head=dict(zip("ab", speeds, strict=True))))
    assert (found.verdict, [row.verdict for row in found.rows]) == (verdict, rows)
    assert (found.fails, found.reasons) == (False, [])
    same = [row.smallest_difference for row in found.rows if row.verdict == "no difference shown"]
    assert found.would_have_seen == max(filter(None, same), default=None)


@pytest.mark.parametrize("kind", ["closed", "open"])
@pytest.mark.parametrize(
    ("factor", "fail_on", "fails"),
    [(1.051, 0.05, True), (1.049, 0.05, False), (1.5, None, False), (1 / 1.5, 0.05, False)],
)
def test_fails_if_slower_by_more_than_fail_on(
    kind: str, factor: float, fail_on: float | None, fails: bool
) -> None:
    """By a factor: 5 % are fewer responses, 1 / 1.05, and longer response times, 1.05, alike."""
    plan = versions_plan(scenarios=[scenario(**{kind: [8]})])
    found = compare_versions(exact(*[-math.log(factor)] * 3, of=plan, fail_on=fail_on))
    assert found.rows[0].verdict == ("slower" if factor > 1 else "faster")
    assert (found.rows[0].fails, found.fails) == (fails, fails)


def test_slower_but_not_surely_beyond_fail_on_does_not_fail() -> None:
    results = versions_results(ONE_LOAD, head={"noop": 0.945}, fail_on=0.05)
    found = compare_versions(results)
    assert (found.verdict, found.fails) == ("slower", False)


def test_fail_on_below_the_margin_replaces_it() -> None:
    small = [-math.log(1.02)] * 3
    assert compare_versions(exact(*small)).verdict == "no difference shown"
    found = compare_versions(exact(*small, fail_on=0.01))
    assert (found.margin, found.verdict, found.fails) == (0.01, "slower", True)


def test_all_rows_are_one_family() -> None:
    """Scenarios, kinds of load and metrics together; each would be slower by itself."""
    [row] = compare_versions(exact(*BARELY)).rows
    assert row.verdict == "slower"
    assert row.adjusted_p == pytest.approx(0.0427, abs=1e-4)
    many = versions_plan(scenarios=[scenario(closed=[8]), scenario(name="b", closed=[8], open=[9])])
    rows = compare_versions(exact(*BARELY, of=many)).rows
    assert [row.verdict for row in rows] == ["no difference shown"] * 4
    assert rows[0].adjusted_p == pytest.approx(4 * 0.0427, abs=1e-3)
    assert rows[0].smallest_difference == pytest.approx(
        smallest_difference(0.1 / math.sqrt(3), blocks=3, among=4)
    )
    assert "not as one of 4" in rows[0].reasons[0]


def test_no_verdict_where_base_differs_from_itself() -> None:
    plan = versions_plan(scenarios=[scenario(name=name, closed=[8]) for name in "ab"])
    results = versions_results(plan, head={"a": 0.8}, base_again={"b": 0.9}, fail_on=0.05)
    found = compare_versions(results)
    assert (found.verdict, found.fails) == ("could not tell", False)
    assert [row.verdict for row in found.rows] == ["slower", "faster"]
    [reason] = found.reasons
    assert reason.startswith("b at 8 users: base again differs from base by -1")


@pytest.mark.parametrize(
    ("collapsed", "verdict", "reasons"),
    [
        (blocks_of(HEAD, 5), "slower", ["head collapsed in 5 of 6 blocks"]),
        (blocks_of(HEAD, 3), "slower", ["head collapsed in 3 of 6 blocks"]),
        (blocks_of(HEAD, 2), "no difference shown", ["head collapsed in 2 of 6 blocks"]),
        (blocks_of(BASE) + blocks_of(BASE_AGAIN), "faster", ["base collapsed in 6 of 6 blocks"]),
        (
            *([*blocks_of(HEAD), (BASE, 1)], "could not tell"),
            ["base collapsed in 1 of 6 blocks", "head collapsed in 6 of 6 blocks"],
        ),
    ],
)
def test_collapse_of_one_version_is_its_verdict(
    collapsed: list[tuple[str, int]], verdict: VersionVerdict, reasons: list[str]
) -> None:
    results = versions_results(ONE_LOAD, fail_on=0.05)
    found = compare_versions(with_status(results, "collapsed", *collapsed))
    [row] = found.rows
    assert (row.verdict, row.reasons, found.verdict) == (verdict, reasons, verdict)
    assert (row.fails, found.fails) == (verdict == "slower",) * 2


def test_no_verdict_where_only_one_measurement_of_base_collapses() -> None:
    results = with_status(versions_results(ONE_LOAD), "collapsed", *blocks_of(BASE_AGAIN))
    found = compare_versions(results)
    assert found.verdict == "could not tell"
    assert found.reasons == ["noop at 8 users: base_again collapsed in 6 of 6 blocks, base in none"]


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        (versions_results(ONE_LOAD).model_copy(update={"cells": []}), "of base and head"),
        (with_status(versions_results(ONE_LOAD), "invalid", *blocks_of(HEAD)), "of head"),
        (exact(0.5), "a single block has no interval"),
    ],
    ids=["nothing", "invalid", "one block"],
)
def test_incomplete_run_could_not_tell(results: Results, reason: str) -> None:
    found = compare_versions(results)
    assert (found.verdict, found.fails, found.would_have_seen) == ("could not tell", False, None)
    assert [row.verdict for row in found.rows] == ["could not tell"]
    assert found.reasons == found.rows[0].reasons
    assert reason in found.reasons[0]


def test_response_times_near_the_floor_could_not_be_told() -> None:
    plan = versions_plan(scenarios=[scenario(open=[50])])
    check = factories.self_check(latency_p50_ms=6.0, latency_p99_ms=1.0)
    results = versions_results(plan, head={"noop": 0.8}).model_copy(update={"self_check": check})
    p99, p50 = compare_versions(results).rows
    assert (p99.verdict, p50.verdict) == ("slower", "could not tell")
    assert "does nothing" in p50.reasons[0]


def test_report_of_a_run_of_versions_writes_compare_json(tmp_path: Path) -> None:
    plan = versions_plan(blocks=2, scenarios=[scenario(closed=[8])])
    versions = factories.compared_versions(fail_on=0.05)

    def make(cell: Cell) -> runs.Made:
        return runs.steady(cell, 500 if cell.target == HEAD else 1000)

    store = runs.write_run(tmp_path / "run", plan, make, compared_versions=versions)
    make_report(store)
    text = (store.folder / "compare.json").read_text()
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))
    found = VersionComparison.model_validate_json(text)
    assert (found.versions, found.verdict, found.fails) == (versions, "slower", True)
    # No other headline stands beside the verdict.
    assert (store.folder / "report.md").read_text().splitlines()[2].startswith("Slower: ")


def test_published_schema_is_current() -> None:
    """If this fails: .venv/bin/twinbench schema --compare > docs/compare.schema.json."""
    assert json.loads(SCHEMA.read_text()) == VersionComparison.model_json_schema()
