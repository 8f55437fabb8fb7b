"""What the verdict on two versions sees, by simulation: the tables of decision 27.

`.venv/bin/python -m tests.benchmarks.verdict_simulation`: a minute.
"""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tests.support.noise import ALTERNATING, Logs
from tests.support.versions import ROWS, log_throughputs, ratios, told
from twinbench.analyse.statistics import (
    ALPHA,
    MARGIN,
    Values,
    critical_t,
    holm,
    p_beyond_margin,
    standard_error,
)

REPEATS = 40_000  # the standard error of a share is at most 0.25 %
# Of the log ratio of head and base in a block, and numbers of blocks.
CASES = tuple(itertools.product((0.04, 0.06, 0.08), (6, 8, 10, 12)))
CHANGES = (0.05, 0.1, 0.2, 0.3)
FAIL_ON = 0.05
TEN_PERCENT = 0.1


def main() -> None:
    no_change()
    power("Told to be slower", MARGIN)
    power("Fails with fail_on = 5 %", FAIL_ON)
    fewer_rows()
    shorter_blocks()
    other_tests()
    noisier_head()
    covariate()


def table(title: str, columns: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
    """Print a table of Markdown; numbers are shares."""
    print(f"\n{title}\n")
    for row in (columns, ["---"] * len(columns), *rows):
        cells = [f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in row]
        print(f"| {' | '.join(cells)} |")


def mean(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean())


def no_change() -> None:
    def row(sd: float, blocks: int) -> list[object]:
        logs = log_throughputs(REPEATS, blocks, sd=sd)
        found, (of_head, _) = told(logs), ratios(logs)
        held = covered(of_head, standard_error(of_head), blocks - 1)
        logs[1] -= math.log1p(MARGIN)
        at_margin = told(logs).different
        return [str(sd), blocks, *map(mean, (found.different, found.withheld, held, at_margin))]

    columns = ("sd", "blocks", "alarms", "withheld", "interval holds", "all at the margin: shown")
    table("No change", columns, (row(sd, blocks) for sd, blocks in CASES))


def power(title: str, margin: float) -> None:
    def found(sd: float, blocks: int, change: float) -> float:
        logs = log_throughputs(REPEATS, blocks, sd=sd, slower_by=change)
        return mean(told(logs, margin).first_slower)

    rows = ([str(sd), b, *(found(sd, b, change) for change in CHANGES)] for sd, b in CASES)
    table(f"{title}, one of {ROWS} rows", ("sd", "blocks", *CHANGES), rows)


def fewer_rows() -> None:
    def found(sd: float, blocks: int, rows: int) -> float:
        logs = log_throughputs(REPEATS, blocks, sd=sd, rows=rows, slower_by=TEN_PERCENT)
        return mean(told(logs).first_slower)

    counts = (1, 2, 3, ROWS, 2 * ROWS)
    rows = ([str(sd), b, *(found(sd, b, count) for count in counts)] for sd, b in CASES)
    table("10 % slower in one of so many rows", ("sd", "blocks", *counts), rows)


def shorter_blocks() -> None:
    """Print the power of blocks that have the same time in windows together."""

    def row(blocks: int, window_s: float) -> list[object]:
        window, process = ALTERNATING.window / math.sqrt(window_s), ALTERNATING.process
        sd = math.sqrt(2 * (window**2 + process**2))
        logs = log_throughputs(REPEATS, blocks, sd=sd, slower_by=TEN_PERCENT)
        return [f"{blocks} of {window_s} s", f"{sd:.3f}", mean(told(logs).first_slower)]

    rows = (row(blocks, 18 / blocks) for blocks in (3, 6, 9, 12, 18))
    table(f"10 % slower in one of {ROWS} rows", ("blocks", "sd", "slower"), rows)


def other_tests() -> None:
    """Print the power of head against base alone, and with the spread of the A/A ratios too."""

    def row(sd: float, blocks: int) -> list[object]:
        logs = log_throughputs(REPEATS, blocks, sd=sd, slower_by=TEN_PERCENT)
        alone = holm(p_beyond_margin(logs[1] - logs[0]))[:, 0] < ALPHA
        of_head, of_again = ratios(logs)
        p = p_of(of_head.mean(axis=-1), pooled_error(of_head, of_again), 2 * (blocks - 1))
        pooled = holm(p)[:, 0] < ALPHA
        return [str(sd), blocks, *map(mean, (alone, told(logs).slower[:, 0], pooled))]

    columns = ("sd", "blocks", "base once", "mean of both", "pooled spread")
    rows = (row(sd, blocks) for sd, blocks in CASES)
    table(f"10 % slower in one of {ROWS} rows", columns, rows)


def noisier_head() -> None:
    """Print the coverage of intervals if head's noise is larger than that of base."""

    def row(times: float, blocks: int) -> list[object]:
        rng = np.random.default_rng(blocks)
        base, head, again = rng.normal(0, 0.04, (3, REPEATS, blocks))
        of_head, of_again = times * head - (base + again) / 2, again - base
        own = covered(of_head, standard_error(of_head), blocks - 1)
        pooled = covered(of_head, pooled_error(of_head, of_again), 2 * (blocks - 1))
        return [f"{times} times", blocks, mean(own), mean(pooled)]

    rows = (row(times, blocks) for times in (0.5, 1.0, 1.5, 2.0) for blocks in (6, 10))
    table("Interval holds the truth", ("noise of head", "blocks", "own", "pooled spread"), rows)


def covariate() -> None:
    """Print the power if a share of the noise is time that the host takes, which is known.

    Not adjusted; by a line through the ratios of blocks, at equal taken time; divided by the time
    that was left.
    """

    def row(share: float, blocks: int) -> list[object]:
        rng = np.random.default_rng(blocks)
        sd = 0.06 * math.sqrt(0.75)  # of head and the mean of both bases
        taken = rng.normal(0, sd * math.sqrt(share) or 1, (REPEATS, blocks))
        rest = rng.normal(math.log1p(TEN_PERCENT), sd * math.sqrt(1 - share), (REPEATS, blocks))
        logs = rest + taken if share else rest
        at_zero, error = line_at_zero(taken, logs)
        p = (
            p_beyond_margin(logs),
            p_of(at_zero, error, blocks - 2),
            p_beyond_margin(rest),
        )
        return [share, blocks, *(mean(each < ALPHA / ROWS) for each in p)]

    rows = (row(share, blocks) for share in (0.0, 0.25, 0.5, 0.75) for blocks in (6, 10))
    columns = ("share", "blocks", "not adjusted", "fitted line", "divided")
    table(f"10 % slower in one of {ROWS} rows, sd 0.06", columns, rows)


def line_at_zero(x: Logs, y: Logs) -> tuple[Values, Values]:
    """Return the values of fitted lines at 0, and their standard errors."""
    middle, away = x.mean(axis=-1), x - x.mean(axis=-1, keepdims=True)
    squares = (away**2).sum(axis=-1)
    slope = (away * y).sum(axis=-1) / squares
    at_zero = y.mean(axis=-1) - slope * middle
    rest = y - at_zero[:, None] - slope[:, None] * x
    variance = (rest**2).sum(axis=-1) / (x.shape[-1] - 2)
    return at_zero, np.sqrt(variance * (1 / x.shape[-1] + middle**2 / squares))


def pooled_error(of_head: Logs, of_again: Logs) -> Values:
    """Return the standard error of the mean ratio of head by the spread of both ratios.

    Of equal noise s in all three, the ratio of head has the variance 1.5 s^2, the other 2 s^2.
    """
    blocks = of_head.shape[-1]
    variance = (of_head.var(axis=-1, ddof=1) / 1.5 + of_again.var(axis=-1, ddof=1) / 2) / 2
    return np.asarray(np.sqrt(1.5 * variance / blocks))


def p_of(means: Values, errors: Values, freedom: int) -> Values:
    """Return the p value beyond the margin, as `p_beyond_margin`."""
    t = (np.abs(means) - math.log1p(MARGIN)) / errors
    return np.asarray(np.minimum(1, 2 * special.stdtr(freedom, -t)))


def covered(logs: Logs, errors: Values, freedom: int) -> NDArray[np.bool_]:
    return np.asarray(np.abs(logs.mean(axis=-1)) < critical_t(ALPHA / 2, freedom) * errors)


if __name__ == "__main__":
    main()
