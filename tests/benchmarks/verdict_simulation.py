"""What the verdict on two versions sees, by simulation: the tables of decision 27.

`.venv/bin/python -m tests.benchmarks.verdict_simulation`: a minute.
"""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.support.noise import ALTERNATING, Logs
from tests.support.versions import ROWS, log_throughputs, ratios, verdicts
from twinbench.analyse.statistics import (
    ALPHA,
    MARGIN,
    Values,
    critical_t,
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
    power("Shown to be slower", MARGIN)
    power("Fails with fail_on = 5 %", FAIL_ON)
    fewer_rows()
    shorter_blocks()


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
        found, (of_head, _) = verdicts(logs), ratios(logs)
        held = covered(of_head, standard_error(of_head), blocks - 1)
        logs[1] -= math.log1p(MARGIN)
        at_margin = verdicts(logs).different
        return [str(sd), blocks, *map(mean, (found.different, found.withheld, held, at_margin))]

    columns = ("sd", "blocks", "alarms", "withheld", "interval holds", "all at the margin: shown")
    table("No change", columns, (row(sd, blocks) for sd, blocks in CASES))


def power(title: str, margin: float) -> None:
    def found(sd: float, blocks: int, change: float) -> float:
        logs = log_throughputs(REPEATS, blocks, sd=sd, slower_by=change)
        return mean(verdicts(logs, margin).first_slower)

    rows = ([str(sd), b, *(found(sd, b, change) for change in CHANGES)] for sd, b in CASES)
    table(f"{title}, one of {ROWS} rows", ("sd", "blocks", *CHANGES), rows)


def fewer_rows() -> None:
    def found(sd: float, blocks: int, rows: int) -> float:
        logs = log_throughputs(REPEATS, blocks, sd=sd, rows=rows, slower_by=TEN_PERCENT)
        return mean(verdicts(logs).first_slower)

    counts = (1, 2, 3, ROWS, 2 * ROWS)
    rows = ([str(sd), b, *(found(sd, b, count) for count in counts)] for sd, b in CASES)
    table("10 % slower in one row, by the number of rows", ("sd", "blocks", *counts), rows)


def shorter_blocks() -> None:
    """Print the power of blocks that have the same time in windows together."""

    def row(blocks: int, window_s: float) -> list[object]:
        window, process = ALTERNATING.window / math.sqrt(window_s), ALTERNATING.process
        sd = math.sqrt(2 * (window**2 + process**2))
        logs = log_throughputs(REPEATS, blocks, sd=sd, slower_by=TEN_PERCENT)
        return [f"{blocks} of {window_s} s", f"{sd:.3f}", mean(verdicts(logs).first_slower)]

    rows = (row(blocks, 18 / blocks) for blocks in (3, 6, 9, 12, 18))
    table(f"10 % slower in one of {ROWS} rows", ("blocks", "sd", "slower"), rows)


def covered(logs: Logs, errors: Values, freedom: int) -> NDArray[np.bool_]:
    return np.asarray(np.abs(logs.mean(axis=-1)) < critical_t(ALPHA / 2, freedom) * errors)


if __name__ == "__main__":
    main()
