"""Verdict on two versions of one app: rows of head against base, and one verdict for the run.

The base is measured twice in each block. Head is compared with the mean of both, whose noise does
not depend on how far the two are apart: so the A/A check of the one with the other does not select
among the ratios of head. Figures: docs/decisions/0027-verdict-of-versions.md.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twinbench.analyse.comparisons import PairedCells, figure, ratios
from twinbench.analyse.curves import loads_by_kind
from twinbench.analyse.results import (
    CellResult,
    Metric,
    Results,
    VersionComparison,
    VersionRow,
    VersionVerdict,
)
from twinbench.analyse.statistics import MARGIN, FamilyDecision, decide, geometric_mean
from twinbench.store import Store, atomic_write
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD

Decisions = Mapping[int, FamilyDecision]  # by the number of the row


def compare_versions(results: Results) -> VersionComparison:
    """Return the comparison of the versions of a run, which has `compared_versions`."""
    if (versions := results.compared_versions) is None:
        raise ValueError("the targets of this run are not versions of one app")
    fail_on = versions.fail_on
    # "no difference shown" must hold for the margin that is asked for, if it is the smaller one.
    margin = MARGIN if fail_on is None else min(MARGIN, fail_on)
    measured = list(_measured(results))
    rows = list(_rows(measured, margin, fail_on))
    noise = list(dict.fromkeys(_aa_differences(measured, margin)))
    verdict = "could not tell" if noise else _verdict_of_run(rows)
    return VersionComparison(
        run=results.run,
        plan=results.plan.name,
        versions=versions,
        margin=margin,
        blocks=results.plan.blocks,
        elapsed_s=results.timing.elapsed_s,
        verdict=verdict,
        noisy=bool(noise),
        fails=not noise and any(row.fails for row in rows),
        reasons=noise or _reasons(verdict, rows),
        would_have_seen=max(
            (row.smallest_difference or 0 for row in rows if row.verdict == "no difference shown"),
            default=None,
        ),
        rows=rows,
    )


def write_comparison(store: Store, comparison: VersionComparison) -> None:
    atomic_write(store.folder / "compare.json", comparison.model_dump_json(indent=1))


@dataclass(frozen=True, slots=True)
class _Measured:
    """A row before any decision.

    `pair` is head with both targets of the base under one name, `again` base again with base.
    `by_block` and `aa_by_block` are their ratios, `reasons` why there are none.
    """

    metric: Metric
    pair: PairedCells
    again: PairedCells
    by_block: list[float]
    reasons: list[str]
    aa_by_block: list[float]


def _measured(results: Results) -> Iterable[_Measured]:
    floor = results.self_check.floor if results.self_check else None
    for scenario in results.plan.scenarios:
        cells = [cell for cell in results.cells if cell.scenario == scenario.name]
        pooled = [_as_base(cell) for cell in cells]
        for loads in loads_by_kind(scenario):
            primary = results.primary_metric(scenario.name, loads[0].kind)
            metrics = _metrics(primary, [cell for cell in cells if cell.load in loads])
            for load, metric in itertools.product(loads, metrics):
                pair = PairedCells.of(results.plan, scenario, HEAD, load, pooled)
                again = PairedCells.of(results.plan, scenario, BASE_AGAIN, load, cells)
                by_block, reasons = ratios(metric, pair, floor)
                reasons = reasons if by_block else [*reasons, *_often_invalid(pair)]
                aa_by_block, _ = ratios(metric, again, floor)
                yield _Measured(metric, pair, again, by_block, reasons, aa_by_block)


def _often_invalid(pair: PairedCells) -> list[str]:
    """Return the most frequent reason why cells of a pair are invalid, if some are."""
    invalid = (cell for cell in pair.cells if cell.status == "invalid")
    found = Counter(reason for cell in invalid for reason in cell.reasons)
    return [reason for reason, _ in found.most_common(1)]


def _as_base(cell: CellResult) -> CellResult:
    return cell.model_copy(update={"target": BASE}) if cell.target == BASE_AGAIN else cell


def _metrics(primary: Metric, cells: Sequence[CellResult]) -> Sequence[Metric]:
    """Return the metrics of the rows of a scenario, by its cells at loads of one kind.

    Where the load fixes the throughput, a percentile without any figure is left out.
    """
    if primary == "throughput":
        return [primary]
    valid = [cell for cell in cells if cell.status == "valid"]
    percentiles: tuple[Metric, ...] = ("p99", "p50")
    known = [metric for metric in percentiles if any(figure(metric, cell) for cell in valid)]
    return known or [primary]


def _rows(
    measured: Sequence[_Measured], margin: float, fail_on: float | None
) -> Iterable[VersionRow]:
    ratios_of_rows = [(row.metric, row.by_block) for row in measured]
    decided = _decide(ratios_of_rows, margin)
    failing = None if fail_on is None else _decide(ratios_of_rows, fail_on)
    for n, row in enumerate(measured):
        fails = failing is not None and _verdict(row, failing.get(n)) == "slower"
        yield _row(row, decided.get(n), fails)


def _decide(rows: Sequence[tuple[Metric, list[float]]], margin: float) -> Decisions:
    """Return decisions on all rows that have an interval, as one family."""
    family = {
        n: (metric, np.log(by_block)) for n, (metric, by_block) in enumerate(rows) if by_block[1:]
    }
    return decide(family, margin)


def _verdict(row: _Measured, decided: FamilyDecision | None) -> VersionVerdict:
    if row.pair.not_collapsed:
        return "slower" if row.pair.not_collapsed == BASE else "faster"
    return decided.decision if decided else "could not tell"


def _row(row: _Measured, decided: FamilyDecision | None, fails: bool) -> VersionRow:
    base, head = _figures(row)
    per_cpu_s, _ = ratios("per_cpu_s", row.pair, None)
    return VersionRow(
        scenario=row.pair.scenario,
        load=row.pair.load,
        metric=row.metric,
        base=geometric_mean(base),
        head=geometric_mean(head),
        ratio=geometric_mean(row.by_block),
        aa_ratio=geometric_mean(row.aa_by_block),
        cpu_ratio=geometric_mean([1 / ratio for ratio in per_cpu_s]),
        blocks=len(row.by_block),
        verdict=_verdict(row, decided),
        adjusted_p=decided.adjusted_p if decided else None,
        smallest_difference=decided.smallest_difference if decided else None,
        fails=fails,
        reasons=list(dict.fromkeys([*row.pair.collapses, *(decided or row).reasons])),
    )


def _figures(row: _Measured) -> tuple[list[float], list[float]]:
    """Return figures of base and head by block: where there is a ratio, those that it is of."""
    if row.by_block:
        both = row.pair.figures(row.metric)
        return [base for base, _ in both], [head for _, head in both]
    base, head = (list(row.pair.by_block(row.metric, name).values()) for name in (BASE, HEAD))
    return base, head


def _aa_differences(rows: Sequence[_Measured], margin: float) -> Iterable[str]:
    """Yield where base again differs from base."""
    decided = _decide([(row.metric, row.aa_by_block) for row in rows], margin)
    for n, row in enumerate(rows):
        where = f"{row.pair.scenario} at {row.pair.load.label}"
        ratio = geometric_mean(row.aa_by_block)
        if steady := row.again.not_collapsed:
            yield f"{where}: {', '.join(row.again.collapses)}, {steady} in none"
        elif ratio and n in decided and decided[n].decision != "no difference shown":
            yield (
                f"{where}: base again differs from base by {100 * (ratio.estimate - 1):+.1f} % in"
                f" {row.metric}, although both are the same version"
            )


def _verdict_of_run(rows: Sequence[VersionRow]) -> VersionVerdict:
    found = {row.verdict for row in rows}
    order: tuple[VersionVerdict, ...] = ("slower", "faster", "no difference shown")
    return next((verdict for verdict in order if verdict in found), "could not tell")


def _reasons(verdict: VersionVerdict, rows: Sequence[VersionRow]) -> list[str]:
    """Return why no row has a verdict, if so."""
    if verdict != "could not tell":
        return []
    return list(dict.fromkeys(reason for row in rows for reason in row.reasons))
