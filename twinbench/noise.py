"""Noise of this machine, from its newest run that has intervals."""

import math
from pathlib import Path
from statistics import median

from twinbench.analyse.results import Comparison, Results
from twinbench.plan import Plan
from twinbench.plan.duration import ALPHA, USUAL_NOISE, Noise, t_quantile
from twinbench.store import Machine

# With fewer blocks a standard deviation is known within a factor of five.
LEAST_BLOCKS = 3


def earlier_noise(runs: Path, machine: Machine) -> Noise:
    """Return the noise of the newest run on `machine` under `runs`; else USUAL_NOISE."""
    for path in sorted(runs.glob("*/results.json"), key=lambda path: path.stat().st_mtime)[::-1]:
        try:
            results = Results.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            continue  # of another version, or edited
        if results.machine.settings() != machine.settings():
            continue
        found = [_window_sd(results.plan, compared) for compared in results.comparisons]
        if known := [sd for sd in found if sd]:
            return Noise(median(known), USUAL_NOISE.process, f"run {results.run}")
    return USUAL_NOISE


def _window_sd(plan: Plan, compared: Comparison) -> float | None:
    """Return the noise of two windows of a second, from the interval of a ratio by throughput."""
    ratio, blocks = compared.ratio, compared.blocks
    if compared.metric != "throughput" or blocks < LEAST_BLOCKS or not ratio:
        return None
    if compared.load.kind != "closed" or not (ratio.low and ratio.high):
        return None
    half_width = math.log(ratio.high / ratio.low) / 2
    block_sd = half_width / t_quantile(1 - ALPHA / 2, blocks - 1) * math.sqrt(blocks)
    # The median of such estimates is low: that of chi-square, by Wilson and Hilferty.
    block_sd /= (1 - 2 / (9 * (blocks - 1))) ** 1.5
    variance = max(0.0, block_sd**2 - USUAL_NOISE.process**2)
    return math.sqrt(variance * plan.measure_s_of(compared.scenario)) or None
