"""Factories of models, one for each: valid by default, a test gives the figures it is about."""

from collections.abc import Mapping

import numpy as np

from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.curves import curves
from twinbench.analyse.results import (
    PERCENTS,
    CellResult,
    CellStatus,
    Comparison,
    Decision,
    Estimate,
    Generator,
    LatencySummary,
    Point,
    Results,
    Timing,
    VersionComparison,
    VersionRow,
)
from twinbench.analyse.summary import KeyFigure, ScenarioSummary, Summary
from twinbench.analyse.window import AnalysedCell
from twinbench.measure.control import Work
from twinbench.paths import ROOT
from twinbench.plan import Cell, Load, Plan, cells
from twinbench.preflight.result import PreflightPair
from twinbench.selfcheck.result import Check, Floor, SelfCheck
from twinbench.store import Machine, Manifest, Session, now
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD, ComparedVersions, Version

# The external API of the built-in apps, as a service in a plan's table.
UPSTREAM = {"name": "upstream", "app": "apps.upstream.main:app", "cwd": str(ROOT)}
STARTED = "2026-01-17T12:00:00+00:00"
EIGHT_USERS = Load("closed", 8)
NO_RATIOS: Mapping[str, float] = {}


def scenario(**changes: object) -> dict[str, object]:
    """Return a scenario of a plan's table; it needs `closed` or `open` loads."""
    return {"name": "noop", "requests": [{"path": "/"}]} | changes


def plan(**changes: object) -> Plan:
    """Return two targets, one scenario, two loads, three blocks; `changes` to the table."""
    table: dict[str, object] = {
        "name": "made-up",
        "blocks": 3,
        "targets": [{"name": "sync", "app": "a:app"}, {"name": "async", "app": "b:app"}],
        "scenarios": [scenario(closed=[1, 8])],
    }
    return Plan.model_validate(table | changes)


def machine(**changes: object) -> Machine:
    values: dict[str, object] = {
        "cpu": "a CPU",
        "cores": 2,
        "memory_gib": 4.0,
        "system": "Linux",
        "python": "CPython",
        "server_cores": (0,),
        "generator_cores": (1,),
    }
    return Machine.model_validate(values | changes)


def manifest(of: Plan, **changes: object) -> Manifest:
    values: dict[str, object] = {
        "plan": of,
        "plan_file": "made-up.toml",
        "machine": machine(),
        "versions": {"python": "3.11", "fastapi": "0"},
        "sessions": [Session(started=now(), ended=now())],
    }
    return Manifest.model_validate(values | changes)


def check(name: str = "floor", *, ok: bool = True, advice: str = "") -> Check:
    return Check(name=name, unit="ms", measured=0.5, low=0, high=1 if ok else 0.1, advice=advice)


def self_check(*checks: Check, **floor: float) -> SelfCheck:
    """Return a self-check with a floor of 0.2 ms (p99: 1 ms) and a lag of 0.1 ms (p99: 2 ms)."""
    values = {"latency_p50_ms": 0.2, "latency_p99_ms": 1.0, "lag_p50_ms": 0.1, "lag_p99_ms": 2.0}
    return SelfCheck(
        started=STARTED,
        took_s=12.0,
        floor=Floor.model_validate(values | floor),
        capacity_rps=41_000,
        checks=checks,
    )


def work(**changes: object) -> Work:
    """Return the work of a server that used SQLAlchemy and one SQLite file."""
    values: dict[str, object] = {
        **dict.fromkeys(("statements", "other_databases", "opened_databases", "settings"), ()),
        **dict.fromkeys(("written_files", "connections"), ()),
        **{name: {} for name in ("conditions", "failed", "unobserved")},
        **dict.fromkeys(("commits", "rollbacks"), 0),
        "uses_sqlalchemy": True,
        "param_styles": ["qmark"],
        "sqlite_files": ["own.db"],
    }
    return Work.model_validate(values | changes)


def preflight_pair(**changes: object) -> PreflightPair:
    values = {"baseline": "sync", "candidate": "async", "scenarios": ["noop"], "requests": 3}
    return PreflightPair.model_validate(values | changes)


def cell_result(
    target: str,
    block: int,
    throughput_rps: float = 1000,
    *,
    load: Load = EIGHT_USERS,
    scenario: str = "noop",
    status: CellStatus = "valid",
    per_cpu_s: float | None = 2000,
    mean_ms: float = 10,
    p50_ms: float | None = 10,
    p99_ms: float | None = 20,
) -> CellResult:
    """Return a cell with a window of one second."""
    responses = round(throughput_rps)
    return CellResult(
        id=1,
        block=block,
        target=target,
        scenario=scenario,
        load=load,
        status=status,
        reasons=[],
        requests=responses,
        errors=0,
        scheduled=0,
        dropped=0,
        throughput_rps=throughput_rps,
        latency_ms=LatencySummary(mean=mean_ms, p50=p50_ms, p99=p99_ms),
        service_ms=LatencySummary(mean=mean_ms, p50=p50_ms, p99=p99_ms),
        generator=Generator(cpu=0.2, waited=0, lag_p50_ms=None, lag_p99_ms=None),
        server_cpu=0.5,
        server_cpu_ms=None,
        per_cpu_s=per_cpu_s,
        server_memory_mib=50,
    )


def point(value: int, rps: float | None = None, **changes: object) -> Point:
    """Return a valid point with this throughput; an invalid one without."""
    values: dict[str, object] = {
        "value": value,
        "status": "valid" if rps else "invalid",
        "blocks": 5 if rps else 0,
        "collapsed": 0,
        "throughput_rps": {"estimate": rps, "low": rps / 1.1, "high": rps * 1.1} if rps else None,
        **dict.fromkeys(("per_cpu_s", "p50_ms", "p99_ms", "max_ms", "server_cpu", "server_cpu_ms")),
        "response_ms": [None] * len(PERCENTS),
        "service_ms": [None] * len(PERCENTS),
    }
    return Point.model_validate(values | changes)


def comparison(
    load: Load, interval: tuple[float, float] | None, decision: Decision, *, scenario: str = "noop"
) -> Comparison:
    """Return a comparison of async with sync; no `interval`, no ratio."""
    low, high = interval or (1, 1)
    return Comparison(
        scenario=scenario,
        load=load,
        metric="throughput",
        baseline="sync",
        candidate="async",
        ratio=Estimate(estimate=(low * high) ** 0.5, low=low, high=high) if interval else None,
        blocks=3,
        decision=decision,
        reasons=[],
    )


def results(of: Plan, **parts: object) -> Results:
    """Return the results of a run of `of`, empty but for `parts`."""
    lists = ("cells", "curves", "comparisons", "claims", "timelines")
    values: dict[str, object] = {
        "run": "made-up",
        "plan": of,
        "timing": Timing(
            started=STARTED,
            elapsed_s=60,
            window_s=30,
            warmup_s=15,
            starts_s=6,
            checks_s=9,
            sessions=1,
        ),
        "missing_cells": 0,
        "self_check": None,
        "machine": machine(),
        "versions": {"python": "3.11", "fastapi": "0"},
    }
    return Results.model_validate(values | {name: [] for name in lists} | parts)


def version(ref: str = "main", **changes: object) -> Version:
    values = {"ref": ref, "commit": "3f" * 20, "subject": "Add tags", "environment": "uv.lock"}
    return Version.model_validate(values | changes)


def compared_versions(fail_on: float | None = None) -> ComparedVersions:
    """Return main and a working tree that is based on it."""
    head = version("working tree", commit="9a" * 20, subject="Count comments", changed=2)
    return ComparedVersions(base=version(), head=head, fail_on=fail_on)


def version_row(**changes: object) -> VersionRow:
    """Return a row in which head serves a tenth fewer requests/s than base."""
    values: dict[str, object] = {
        "scenario": "noop",
        "load": EIGHT_USERS,
        "metric": "throughput",
        "base": Estimate(estimate=1000, low=990, high=1010),
        "head": Estimate(estimate=900, low=890, high=910),
        "ratio": Estimate(estimate=0.9, low=0.88, high=0.92),
        "aa_ratio": Estimate(estimate=1.002, low=0.99, high=1.01),
        "cpu_ratio": Estimate(estimate=1.1, low=1.05, high=1.15),
        "blocks": 6,
        "verdict": "slower",
    }
    return VersionRow.model_validate(values | changes)


def version_comparison(*rows: VersionRow, **changes: object) -> VersionComparison:
    """Return a comparison with these rows, whose verdict is that of the first."""
    values: dict[str, object] = {
        "run": "made-up",
        "plan": "made-up",
        "versions": compared_versions(),
        "margin": 0.03,
        "blocks": 6,
        "elapsed_s": 600,
        "verdict": rows[0].verdict if rows else "could not tell",
        "fails": False,
        "would_have_seen": None,
        "rows": rows,
    }
    return VersionComparison.model_validate(values | changes)


def versions_plan(**changes: object) -> Plan:
    """Return the plan of a run of two versions: six blocks; `changes` to the table."""
    folders = {BASE: "/base", HEAD: "/head", BASE_AGAIN: "/base"}
    targets = [{"name": name, "app": "a:app", "cwd": cwd} for name, cwd in folders.items()]
    return plan(**{"blocks": 6, "targets": targets} | changes)


def versions_results(
    of: Plan | None = None,
    *,
    head: Mapping[str, float] = NO_RATIOS,
    base_again: Mapping[str, float] = NO_RATIOS,
    fail_on: float | None = None,
    changed: Mapping[tuple[str, int], Mapping[str, object]] | None = None,
) -> Results:
    """Return a run of two versions, whose cells are valid and have noise of 1 %.

    `head` and `base_again` are speeds relative to base, by scenario: 0.9 has nine tenths of the
    throughput, and response times and CPU times that are longer by 1 / 0.9. `changed` are fields
    of cells by target and block.
    """
    of = of or versions_plan()
    speeds, rng = {BASE: NO_RATIOS, HEAD: head, BASE_AGAIN: base_again}, np.random.default_rng(1)
    changes = changed or {}
    made = [
        _versions_cell(
            cell, speeds[cell.target].get(cell.scenario, 1) * float(np.exp(rng.normal(0, 0.01)))
        ).model_copy(update=changes.get((cell.target, cell.block)))
        for cell in cells(of)
    ]
    times = [np.full(200, cell.latency_ms.p50) * rng.gamma(9, 1 / 9, 200) for cell in made]
    analysed = [AnalysedCell(cell, ms, ms) for cell, ms in zip(made, times, strict=True)]
    return results(
        of,
        cells=made,
        comparisons=comparisons(of, made),
        curves=curves(of, analysed),
        compared_versions=compared_versions(fail_on),
    )


def _versions_cell(cell: Cell, speed: float) -> CellResult:
    """Return a cell whose throughput is that of the load if it is open."""
    level = 1 + 0.05 * cell.block  # of the machine
    closed = cell.load.kind == "closed"
    return cell_result(
        cell.target,
        cell.block,
        1000 * level * speed if closed else cell.load.value,
        load=cell.load,
        scenario=cell.scenario,
        per_cpu_s=2000 * speed,
        p50_ms=10 / level / speed,
        p99_ms=20 / level / speed,
    ).model_copy(update={"id": cell.number})


def key_figure(
    target: str, value: float, *, load: Load = EIGHT_USERS, blocks: int = 5
) -> KeyFigure:
    """Return the highest throughput at a closed load, the p99 at an open one."""
    return KeyFigure(
        target=target,
        load=load,
        metric="throughput" if load.kind == "closed" else "p99",
        value=value,
        low=value / 1.1,
        high=value * 1.1,
        blocks=blocks,
    )


def scenario_summary(*figures: KeyFigure, **changes: object) -> ScenarioSummary:
    values: dict[str, object] = {
        "name": "noop",
        "title": "An empty route",
        "targets": {"sync": "sync", "async": "async"},
        "conditions": {"closed": "[1, 8]"},
        "figures": figures,
    }
    return ScenarioSummary.model_validate(values | changes)


def summary(*scenarios: ScenarioSummary, **changes: object) -> Summary:
    values: dict[str, object] = {
        "plan": "made-up",
        "started": STARTED,
        "elapsed_s": 60,
        "headline": "async serves more.",
        "blocks": 5,
        "measured": 20,
        "valid": 20,
        "collapsed": 0,
        "missing": 0,
        "cpu": "a CPU",
        "cores": 2,
        "pythons": ["3.11"],
        "conditions": {"fastapi": "0.1"},
        "scenarios": scenarios,
    }
    return Summary.model_validate(values | changes)
