"""Published sentences, each held against the cells that would show it.

The sentences are data (twinbench/claims.toml), so that whoever teaches can add one; how they are
looked at is not. What is looked at is results alone, so a claim says no more than the report.
"""

from collections.abc import Sequence

from twinbench.analyse.claims.condition import Seen, agreed
from twinbench.analyse.claims.read import Claim, ClaimsError, read_claims
from twinbench.analyse.results import ClaimResult, Evidence, Results

__all__ = ["Claim", "ClaimsError", "claims", "judge", "read_claims"]


def claims(results: Results) -> list[ClaimResult]:
    """Those that the run measured anything of, in the order of claims.toml. Raises ClaimsError."""
    return judge(read_claims(), results)


def judge(published: Sequence[Claim], results: Results) -> list[ClaimResult]:
    """What `results` say of each; nothing where no cell of any of its conditions was measured."""
    looked = [(claim, [each.look(results) for each in claim.conditions]) for claim in published]
    return [_result(claim, seen) for claim, seen in looked if any(each.cells for each in seen)]


def _result(claim: Claim, seen: Sequence[Seen]) -> ClaimResult:
    verdict = agreed([each.verdict for each in seen])
    against = [each for each in seen if each.verdict == verdict]
    because = "; ".join(dict.fromkeys(each.said(verdict) for each in against))
    told = {each.subject for each in against if each.subject in because}
    in_favour = list(filter(None, dict.fromkeys(each.in_favour(told) for each in seen)))
    in_part = verdict != "supported" and bool(in_favour)
    if in_part:
        because += f"; but supported: {'; '.join(in_favour)}"
    return ClaimResult(
        id=claim.id,
        text=claim.text,
        source=claim.source,
        verdict=verdict,
        because=_sentence(because),
        in_part=in_part,
        evidence=[
            Evidence(
                said=_sentence(each.said()),
                verdict=each.verdict,
                scenario=each.scenario,
                cells=each.cells,
            )
            for each in seen
        ],
    )


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
