"""False alarms and power of the verdict on two versions, in simulated runs of six rows.

Shares of thousands of runs, from a fixed seed; docs/decisions/0027-verdict-of-versions.md.
"""

import numpy as np
import pytest

from tests.support import factories
from tests.support.noise import Logs
from tests.support.versions import log_throughputs, ratios, verdicts
from twinbench.analyse.results import Results
from twinbench.analyse.statistics import ALPHA, MARGIN, geometric_mean
from twinbench.analyse.verdict import compare_versions
from twinbench.plan import loads_of
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD

REPEATS = 10_000  # the standard error of a share of 5 % is 0.2 %, of 50 % 0.5 %
on_noise = pytest.mark.parametrize("sd", [0.04, 0.06, 0.08])
on_blocks = pytest.mark.parametrize("blocks", [6, 10])


def run_of(logs: Logs) -> Results:
    """Return one simulated run: (base, head and base again, rows, blocks)."""
    _, rows, blocks = logs.shape
    scenario = factories.scenario(closed=list(range(1, rows + 1)))
    plan = factories.versions_plan(blocks=blocks, scenarios=[scenario])
    cells = [
        factories.cell_result(target, block + 1, 1000 * float(np.exp(of_block)), load=load)
        for target, of_target in zip((BASE, HEAD, BASE_AGAIN), logs, strict=True)
        for load, of_load in zip(loads_of(plan.scenarios[0]), of_target, strict=True)
        for block, of_block in enumerate(of_load)
    ]
    versions = factories.compared_versions(fail_on=0.05)
    return factories.results(plan, cells=cells, compared_versions=versions)


def test_simulation_decides_as_the_comparison() -> None:
    """At a noise that gives all outcomes."""
    logs = np.concatenate(
        [log_throughputs(20, 4, sd=sd, rows=2, slower_by=0.2) for sd in (0.04, 0.1)], axis=1
    )
    logs[2, ::7] += 0.1  # base again differs
    expected, failing = verdicts(logs), verdicts(logs, 0.05)
    found = [compare_versions(run_of(logs[:, run])) for run in range(logs.shape[1])]
    for name, rows in (("slower", expected.slower), ("faster", expected.faster)):
        assert [[row.verdict == name for row in run.rows] for run in found] == rows.tolist()
    assert [run.fails for run in found] == failing.first_slower.tolist()
    assert [bool(run.reasons) for run in found] == expected.withheld.tolist()
    for flags in (expected.first_slower, failing.first_slower, expected.withheld):
        assert flags.any()
        assert not flags.all()


@on_blocks
@on_noise
def test_alarms_and_withheld_verdicts_are_rare_without_change(blocks: int, sd: float) -> None:
    """Far fewer than 5 % because of the margin: at most these in the figures of the page."""
    found = verdicts(log_throughputs(REPEATS, blocks, sd=sd))
    assert found.different.mean() < 0.01
    assert found.withheld.mean() < 0.01


@on_blocks
@on_noise
def test_change_at_the_margin_in_all_rows_is_rarely_shown(blocks: int, sd: float) -> None:
    """The worst case of no change that matters: there Holm is what keeps the level."""
    logs = log_throughputs(REPEATS, blocks, sd=sd)
    logs[1] -= np.log1p(MARGIN)
    assert 0.01 < verdicts(logs).different.mean() <= ALPHA


@on_blocks
@on_noise
def test_aa_check_does_not_select_among_ratios(blocks: int, sd: float) -> None:
    """Of head with the mean of both bases; with the first base alone it would."""
    logs = log_throughputs(REPEATS, blocks, sd=sd)
    of_head, of_again = (each[:, 0].mean(axis=-1) for each in ratios(logs))
    of_base = (logs[1] - logs[0])[:, 0].mean(axis=-1)
    assert abs(np.corrcoef(of_head, of_again)[0, 1]) < 0.04
    assert np.corrcoef(of_base, of_again)[0, 1] == pytest.approx(0.5, abs=0.04)
    assert of_head.var() / of_base.var() == pytest.approx(0.75, abs=0.03)


@on_blocks
@on_noise
@pytest.mark.parametrize("missing", [False, True])
def test_intervals_hold_the_truth_in_95_percent(blocks: int, sd: float, missing: bool) -> None:
    """Also where base again is missing in every other block."""
    logs = log_throughputs(2000, blocks, sd=sd, rows=1)  # standard error 0.5 %
    if missing:
        logs[2, ..., ::2] = logs[0, ..., ::2]
    held = 0
    for of_run in np.exp(ratios(logs)[0][:, 0]).tolist():
        found = geometric_mean(of_run)
        assert found
        assert found.low
        assert found.high
        held += found.low <= 1 <= found.high
    assert 0.93 < held / 2000 < 0.97


@pytest.mark.parametrize(
    ("sd", "blocks", "slower_by", "found"),
    [(0.04, 8, 0.1, 0.91), (0.06, 10, 0.1, 0.72), (0.08, 6, 0.2, 0.80)],
)
def test_power_is_that_of_the_page(sd: float, blocks: int, slower_by: float, found: float) -> None:
    logs = log_throughputs(REPEATS, blocks, sd=sd, slower_by=slower_by)
    assert verdicts(logs).first_slower.mean() == pytest.approx(found, abs=0.02)
