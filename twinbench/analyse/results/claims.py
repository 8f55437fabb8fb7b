"""Sentences that somebody published, and what this run says of them."""

from twinbench.analyse.results.base import Result, Verdict


class Evidence(Result):
    """One condition of a claim: what was looked at in words, with figures; the `cells` behind it;
    and whether that speaks for the claim, against it, or neither (`undecided`)."""

    said: str
    verdict: Verdict
    scenario: str
    cells: list[int]


class ClaimResult(Result):
    """`text` in our words, `source`: who says so. `because`: one sentence.
    `in_part`: it is not supported, but some of the loads and conditions speak for it."""

    id: str
    text: str
    source: str
    verdict: Verdict
    because: str
    in_part: bool = False
    evidence: list[Evidence]
