"""Rows of text for the page, the markdown and the terminal."""

from collections.abc import Sequence

from twinbench.analyse.results import Point, Results
from twinbench.report import style


def scenario_rows(results: Results, scenario: str) -> list[list[str]]:
    """One row a load: users; per candidate the ratio and its interval; per target requests a
    second, p50 and p99 in ms, CPU ms a request."""
    curves = [curve for curve in results.curves if curve.scenario == scenario]
    compared = results.compared(scenario, "throughput")
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


def scenario_header(targets: Sequence[str]) -> list[str]:
    """What stands above `scenario_rows`."""
    header = ["users"]
    for candidate in targets[1:]:
        header += [f"{candidate} / {targets[0]}", "95 %"]
    for target in targets:
        header += [f"{target}, req/s", "p50 ms", "p99 ms", "CPU ms/req"]
    return header


def overview_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and rows: candidate / baseline of each scenario at each load."""
    loads = sorted({comparison.load.value for comparison in results.comparisons})
    rows = []
    for name, comparisons in results.pairs():
        at = {comparison.load.value: style.verdict(comparison) for comparison in comparisons}
        rows.append([name, *(at.get(load, "") for load in loads)])
    return ["scenario", *(str(load) for load in loads)], rows


def _figures(point: Point) -> list[str]:
    if point.status == "void":
        return ["void", "", "", ""]
    if not point.blocks:
        return ["stops", "", "", ""]
    shown = [point.throughput_rps, point.p50_ms, point.p99_ms]
    texts = [style.number(estimate.estimate if estimate else None) for estimate in shown]
    texts.append(style.number(point.server_cpu_ms))
    if point.collapsed:
        texts[0] += f" (stops {point.collapsed}/{point.blocks + point.collapsed})"
    return texts
