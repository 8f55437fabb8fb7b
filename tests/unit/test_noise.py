"""Noise of a machine, from the results of its earlier runs."""

import os
from pathlib import Path

import pytest

from tests.support import factories, outcomes
from tests.support.outcomes import Outcome, Outcomes
from twinbench.analyse.results import Results
from twinbench.noise import earlier_noise
from twinbench.plan.duration import USUAL_NOISE


def write(runs: Path, results: Results, at_s: float) -> None:
    folder = runs / f"{at_s}-{results.run}"
    folder.mkdir()
    (folder / "results.json").write_text(results.model_dump_json())
    os.utime(folder / "results.json", (at_s, at_s))


def run(step: float, blocks: int = 5) -> Results:
    """Results whose log ratios differ by about `step` from block to block."""
    return outcomes.results_of(Outcomes("noop", {8: Outcome(step=step)}), blocks=blocks)


def test_newest_run_of_this_machine_counts(tmp_path: Path) -> None:
    write(tmp_path, run(0.2), 1000)
    write(tmp_path, run(0.1), 2000)
    other = run(0.4).model_copy(update={"machine": factories.machine(cores=64)})
    write(tmp_path, other, 3000)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "results.json").write_text("{}")
    found = earlier_noise(tmp_path, factories.machine())
    assert found.source == "run made-up"
    more = earlier_noise(tmp_path, factories.machine(cores=64))
    assert more.window > 2 * found.window


def test_noise_is_the_spread_of_blocks(tmp_path: Path) -> None:
    results = run(0.1)
    write(tmp_path, results, 1000)
    found = earlier_noise(tmp_path, factories.machine())
    (ratio,) = (c.ratio for c in results.compared("noop", "closed", "throughput"))
    assert ratio
    assert ratio.high
    # Less the bias of medians of few blocks.
    sd = found.of_block(results.plan.measure_s) * (1 - 2 / 36) ** 1.5
    # Student's t of five blocks is 2.776.
    assert ratio.high / ratio.estimate == pytest.approx(2.718281828 ** (2.776 * sd / 5**0.5), 1e-3)


@pytest.mark.parametrize("blocks", [0, 2])
def test_without_intervals_the_usual_noise_counts(tmp_path: Path, blocks: int) -> None:
    if blocks:
        write(tmp_path, run(0.1, blocks), 1000)
    assert earlier_noise(tmp_path, factories.machine()) == USUAL_NOISE
