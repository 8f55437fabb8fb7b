"""Rows of text for the page, the markdown and the terminal."""

from twinbench.analyse.results import Point, Results
from twinbench.findings import grouped
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import AXIS


def scenario_rows(results: Results, scenario: str, kind: LoadKind) -> list[list[str]]:
    """One row a load: users or rate; per candidate the ratio and its interval; per target
    requests a second, p50, p99 and the longest in ms, CPU ms a request."""
    curves = results.curves_of(scenario, kind)
    compared = results.compared(scenario, kind, results.decisive(scenario, kind))
    rows = []
    for n, point in enumerate(curves[0].points):
        row = [str(point.value)]
        for comparison in compared:
            if comparison.load.value == point.value:
                row += [style.verdict(comparison), style.bounds(comparison.ratio)]
        for curve in curves:
            row += _figures(curve.points[n])
        rows.append(row)
    return rows


def scenario_header(results: Results, scenario: str, kind: LoadKind) -> list[str]:
    """What stands above `scenario_rows`."""
    baseline, *candidates = targets = results.plan.targets_of(results.plan.scenario(scenario))
    by = "" if kind == "closed" else f", {results.decisive(scenario, kind)}"
    header = [AXIS[kind]]
    for candidate in candidates:
        header += [f"{candidate} / {baseline}{by}", "95 %"]
    for target in targets:
        header += [f"{target}, req/s", "p50 ms", "p99 ms", "max ms", "CPU ms/req"]
    return header


def overview_loads(results: Results, kind: LoadKind) -> list[int]:
    """All loads of one kind at which anything is compared."""
    return sorted({c.load.value for _, compared in results.pairs(kind) for c in compared})


def overview_rows(results: Results, kind: LoadKind) -> tuple[list[str], list[list[str]]]:
    """Header and rows: candidate / baseline of each scenario at each load."""
    loads = overview_loads(results, kind)
    rows = []
    for name, comparisons in results.pairs(kind):
        at = {comparison.load.value: style.verdict(comparison) for comparison in comparisons}
        twice = " (A/A)" if comparisons[0].same else ""
        rows.append([f"{name}{twice}", *(at.get(load, "") for load in loads)])
    return ["scenario", *(str(load) for load in loads)], rows


def preflight_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and rows: in what each pair was compared before the run, and what came of it."""
    header = ["pair", "scenarios", "requests", "equal", "not compared", "change at every start"]
    rows = [
        [
            f"{pair.candidate} / {pair.baseline}",
            ", ".join(pair.scenarios),
            str(pair.requests),
            ", ".join(pair.equal),
            f"meant to differ: {pair.differs}"
            if pair.differs
            else "".join(grouped(pair.not_compared)),
            f"{pair.volatile} value{'s' * (pair.volatile != 1)}" if pair.volatile else "",
        ]
        for pair in results.preflight
    ]
    return header, rows


def _figures(point: Point) -> list[str]:
    if point.status == "void":
        return ["void", "", "", "", ""]
    if not point.blocks:
        return ["stops", "", "", "", ""]
    shown = [point.throughput_rps, point.p50_ms, point.p99_ms]
    texts = [style.number(estimate.estimate if estimate else None) for estimate in shown]
    texts += [style.number(point.max_ms), style.number(point.server_cpu_ms)]
    if point.collapsed:
        texts[0] += f" (stops {point.collapsed}/{point.blocks + point.collapsed})"
    return texts
