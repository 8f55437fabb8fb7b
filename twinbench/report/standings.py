"""Who is ahead of whom in a scenario, and at which of its loads: what the answer is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twinbench.analyse.results import CellResult, Comparison, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import KINDS

Pair = tuple[str, str]


@dataclass(frozen=True)
class Standing:
    """A candidate and its baseline in one scenario, under loads of one kind, by the decisive
    metric: one comparison a load, at least one, by load."""

    compared: list[Comparison]

    @property
    def scenario(self) -> str:
        return self.compared[0].scenario

    @property
    def kind(self) -> LoadKind:
        return self.compared[0].load.kind

    @property
    def pair(self) -> Pair:
        return self.compared[0].baseline, self.compared[0].candidate

    @property
    def same(self) -> bool:
        return self.compared[0].same

    @property
    def tried(self) -> list[int]:
        return [comparison.load.value for comparison in self.compared]

    @property
    def told(self) -> list[Comparison]:
        """Where it is known who is ahead, or that no difference is shown."""
        return [c for c in self.compared if c.decision != "not comparable"]

    @property
    def ahead(self) -> list[str]:
        """Whoever of the two is shown to be ahead somewhere."""
        return [target for target in self.pair if self.leads(target)]

    def leads(self, target: str) -> list[Comparison]:
        """Where `target` is shown to be ahead."""
        return [c for c in self.compared if style.advantage(c) == target]

    def cells(self, results: Results) -> Iterable[CellResult]:
        """The measurements behind what is told."""
        loads = {comparison.load for comparison in self.told}
        for cell in results.cells:
            ours = cell.scenario == self.scenario and cell.target in self.pair
            if ours and cell.load in loads and cell.status == "valid":
                yield cell


def standings(results: Results) -> list[Standing]:
    """In the plan's order; closed loads before open ones within a scenario."""
    found = [
        results.compared(scenario.name, kind, results.decisive(scenario.name, kind), candidate)
        for scenario in results.plan.scenarios
        for kind in KINDS
        for candidate in results.plan.targets_of(scenario)[1:]
    ]
    return [Standing(compared) for compared in found if compared]


def families(found: Sequence[Standing]) -> dict[Pair, list[Standing]]:
    """Standings by pair. Variants of a pair count with it: two targets that are named like its
    own, with the same ending (`sync_sized` and `async_sized` with `sync` and `async`)."""
    pairs = sorted({standing.pair for standing in found}, key=lambda pair: len("".join(pair)))
    grouped: dict[Pair, list[Standing]] = {}
    for standing in found:
        base = next(pair for pair in pairs if _is_variant(standing.pair, pair))
        grouped.setdefault(base, []).append(standing)
    return grouped


def _is_variant(pair: Pair, base: Pair) -> bool:
    endings = {name[len(own) :] for name, own in zip(pair, base, strict=True)}
    begins = all(name.startswith(own) for name, own in zip(pair, base, strict=True))
    return begins and len(endings) == 1 and endings.pop()[:1] in ("", "_", "-")
