"""Published claims, and what this run says of them."""

from twinbench.analyse.results.base import Result, Verdict


class ClaimResult(Result):
    """`text` in our words, `source`: who says so. `because`: the figures that decide, on one line;
    after each condition in brackets what it expects. `cells`: all that were looked at."""

    id: str
    text: str
    source: str
    verdict: Verdict
    because: str
    cells: list[int]
