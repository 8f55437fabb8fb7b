"""Who stops answering stands beside the same app that does not, where the plan has one."""

import pytest

from tests import supposed, truth
from tests.supposed import VOID, Made, Outcome, stops
from twinbench.analyse.results import Results
from twinbench.report.answer import answer


def said(results: Results) -> list[str]:
    """The sentences, each read back and held against the results."""
    found = answer(results)
    for sentence in found:
        truth.check(sentence, results)
    return [sentence.text for sentence in found]


SIZED: list[dict[str, object]] = [
    {"name": "sync", "app": "a:app"},
    {"name": "async", "app": "b:app"},
    {"name": "sync_sized", "app": "a:app", "env": {"POOL": "256", "MORE": "0"}},
    {"name": "async_sized", "app": "b:app", "env": {"POOL": "256", "MORE": "0"}},
]
FALLS = Made("read", {8: Outcome(0.8), 64: stops("sync"), 128: stops("sync")})
SPARED = (
    "; in sized, with the requests of read, sync_sized, the same app as sync with other settings"
    " (POOL=256, MORE=0), does not stop."
)


def sized(closed: dict[int, Outcome]) -> Made:
    return Made("sized", closed, targets=("sync_sized", "async_sized"))


def test_who_does_not_stop_with_other_settings_is_named_with_its_cells() -> None:
    goes_on = sized({64: Outcome(0.9), 128: Outcome(0.8)})
    results = supposed.results(FALLS, goes_on, targets=SIZED)
    *_, fell = said(results)
    assert fell == (
        "sync stops answering in read from 64 users on (10 of 10 cells), where async goes on"
        + SPARED
    )
    cited = set(answer(results)[-1].cells)
    assert {c.id for c in results.cells if c.target == "sync_sized"} <= cited


@pytest.mark.parametrize(
    ("closed", "targets"),
    [
        ({64: Outcome(0.9)}, SIZED),
        ({64: Outcome(0.9), 128: VOID}, SIZED),
        ({64: Outcome(0.9), 128: Outcome(0.9), 256: stops("sync_sized", times=1)}, SIZED),
        (
            {64: Outcome(0.9), 128: Outcome(0.9)},
            [*SIZED[:2], SIZED[2] | {"app": "c:app"}, SIZED[3]],
        ),
        ({64: Outcome(0.9), 128: Outcome(0.9)}, [*SIZED[:2], SIZED[2] | {"env": {}}, SIZED[3]]),
    ],
)
def test_nobody_is_spared_without_answers_at_all_those_loads(
    closed: dict[int, Outcome], targets: list[dict[str, object]]
) -> None:
    found = said(supposed.results(FALLS, sized(closed), targets=targets))
    assert not any("other settings" in sentence for sentence in found)
