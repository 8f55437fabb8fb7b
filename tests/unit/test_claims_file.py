"""claims.toml: understood whole or refused, and about what the full plan measures."""

from pathlib import Path

import pytest

from tests.claimed import FULL, results
from twinbench.analyse.claims import Claim, ClaimsError, read_claims
from twinbench.analyse.claims.alone import NAMES, Interference
from twinbench.analyse.claims.condition import Condition
from twinbench.analyse.claims.read import KINDS
from twinbench.analyse.claims.scene import Scene
from twinbench.analyse.claims.versus import Ratio
from twinbench.paths import ROOT
from twinbench.plan import Load, loads_of

GOOD = """
[[claims]]
id = "one"
text = "A text."
source = "A source"

[[claims.conditions]]
kind = "ratio"
scenario = "wait"
closed = [128]
metric = "throughput"
more_than = 2
"""


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(ClaimsError) as raised:
        read_claims(path)
    assert str(path) in str(raised.value)
    return str(raised.value).removeprefix(f"{path}: ")


def test_a_claim_is_read(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD)
    [found] = read_claims(path)
    assert (found.id, found.text, found.source) == ("one", "A text.", "A source")
    [condition] = found.conditions
    assert isinstance(condition, Ratio)
    assert condition.loads == [Load("closed", 128)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("more_than", "more_then", "claims[0].conditions[0]: unknown key 'more_then'; did you"),
        ("text", "txt", "claims[0]: unknown key 'txt'; did you mean 'text'?"),
        ("[[claims]]", "[[claim]]\n[[claims]]", "unknown key 'claim'; did you mean 'claims'?"),
        ('kind = "ratio"', 'kind = "ratoi"', "claims[0].conditions[0]: Input tag 'ratoi'"),
        ('kind = "ratio"', "", "claims[0].conditions[0]: Unable to extract tag"),
        ('metric = "throughput"', "", "claims[0].conditions[0]: 'metric' is missing"),
        ('"throughput"', '"speed"', "claims[0].conditions[0].metric: Input should be"),
        ("more_than = 2", "", "claims[0].conditions[0]: give one of more_than, less_than, about"),
        ("more_than = 2", "more_than = 2\nless_than = 3", "claims[0].conditions[0]: give one of"),
        ("more_than = 2", "about = [2, 1]", "claims[0].conditions[0]: about is empty"),
        ("more_than = 2", "more_than = true", "claims[0].conditions[0].more_than: "),
        ("closed = [128]", "", "claims[0].conditions[0]: give either closed"),
        ("closed = [128]", "closed = [1]\nopen = [1]", "claims[0].conditions[0]: give either"),
        ("closed = [128]", "closed = [0]", "claims[0].conditions[0].closed[0]: "),
        ('text = "A text."', 'text = " "', "claims[0].text: "),
        ("[[claims]]", f"{GOOD}\n[[claims]]", "claim 'one' stands twice"),
        ("[[claims]]", "[[claims", "cannot be read: "),
    ],
)
def test_what_is_not_understood_is_refused(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in GOOD
    assert refused(tmp_path, GOOD.replace(old, new, 1)).startswith(expected)


def test_interference_needs_its_loads_in_pairs(tmp_path: Path) -> None:
    condition = """
kind = "interference"
scenario = "noop_beside_compute"
open = [530, 1060]
app = "sync"
alone = "noop_alone"
alone_open = [500]
more_than = 2
"""
    head = GOOD.partition("kind =")[0]
    assert "as many loads" in refused(tmp_path, head + condition)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClaimsError, match=r"nowhere\.toml: cannot be read"):
        read_claims(tmp_path / "nowhere.toml")


CLAIMS = read_claims()
ours = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: str(claim.id))


@ours
def test_the_full_plan_measures_all_that_a_claim_needs(claim: Claim) -> None:
    for condition in claim.conditions:
        assert Scene(results(), condition.scenario).is_ours, condition.scenario
        assert set(condition.loads) <= set(loads_of(FULL.scenario(condition.scenario)))
        if isinstance(condition, Interference):
            assert Scene(results(), condition.alone).is_ours
            assert set(condition.alone_open) <= set(FULL.scenario(condition.alone).open)


@ours
def test_a_p99_that_a_claim_needs_has_samples_enough(claim: Claim) -> None:
    """2,000 of those that are timed, on average; of closed loads it cannot be known ahead."""
    for condition in claim.conditions:
        if not wants_p99(condition):
            continue
        scenario = FULL.scenario(condition.scenario)
        weights = [(request.weight, not request.neighbour) for request in scenario.requests]
        share = sum(w for w, timed in weights if timed) / sum(w for w, _ in weights)
        assert not condition.closed
        for rate in condition.open:
            assert rate * share * FULL.measure_s_of(scenario.name) >= 2000


def wants_p99(condition: Condition) -> bool:
    return isinstance(condition, Interference) or (
        isinstance(condition, Ratio) and condition.metric == "p99"
    )


def test_the_seed_stands_first_and_whole() -> None:
    ids = [claim.id for claim in CLAIMS]
    seed = {"seed-io", "seed-cpu", "seed-overhead", "seed-many", "seed-pool", "seed-direct"}
    assert seed <= set(ids[: len(seed) + 1])


def test_the_page_knows_every_kind_and_its_example_is_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "claims.md").read_text()
    for kind in KINDS:
        assert f"| `{kind}` |" in page
    for figure in NAMES:
        assert f"`{figure}`" in page
    path = tmp_path / "claims.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    [example] = read_claims(path)
    [published] = [claim for claim in CLAIMS if claim.id == example.id]
    assert example.conditions == published.conditions
