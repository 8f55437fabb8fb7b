"""Sweep of a run: what each setting costs, where it may deadlock, and which are enough."""

from twinbench.analyse.results import Curve, SweepChoice, SweepResult, SweptTarget
from twinbench.plan import Load, Plan, Target

# Of the built-in apps (apps/shared/settings.py): AnyIO's worker threads; SQLAlchemy's connections,
# and those beyond them on demand.
DEFAULTS = {"BLOG_WORKER_THREADS": 40, "BLOG_POOL_SIZE": 5, "BLOG_MAX_OVERFLOW": 10}
SYNC_APP, OWN_APPS = "apps.sync_app.", ("apps.sync_app.", "apps.async_app.")


def sweep_result(plan: Plan, curves: list[Curve]) -> SweepResult | None:
    """Return what a sweep found; None of a plan without one."""
    if plan.sweep is None:
        return None
    made = {each.name: each for each in plan.sweep.combinations()}
    targets = []
    for target in plan.targets:
        found = made.get(target.name)
        of, values = (found.of, dict(found.values)) if found else (target.name, {})
        targets.append(_target(target, of, values))
    ranked = sorted(targets, key=lambda each: (each.workers, each.cost))
    choices = [
        SweepChoice(
            scenario=scenario, load=load, targets=[t.target for t in ranked if t.target in met]
        )
        for (scenario, load), met in _met(curves).items()
    ]
    return SweepResult(axes=plan.sweep.axes, targets=targets, choices=choices)


def _target(target: Target, of: str, values: dict[str, str]) -> SweptTarget:
    """Return a target with its cost and, if it is built in, its threads and connections."""
    app = target.app or ""
    threads = connections = deadlock = None
    cost = sum(_whole(value) or 0 for value in values.values())
    limits = {key: _whole(target.env.get(key, str(n))) for key, n in DEFAULTS.items()}
    if app.startswith(OWN_APPS) and None not in limits.values():
        own_threads, pool, overflow = (limit or 0 for limit in limits.values())
        connections = cost = pool + overflow
        if app.startswith(SYNC_APP):
            threads, cost = own_threads, own_threads + connections
            deadlock = None if "BLOG_MAX_SESSIONS" in target.env else cost
    return SweptTarget(
        target=target.name,
        of=of,
        values=values,
        workers=target.workers,
        threads=threads,
        connections=connections,
        cost=cost,
        deadlock_users=deadlock,
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _met(curves: list[Curve]) -> dict[tuple[str, Load], set[str]]:
    """Return the targets that meet the SLO at each load of each scenario."""
    found: dict[tuple[str, Load], set[str]] = {}
    for curve in curves:
        highest = curve.objective.value if curve.objective else None
        for point in curve.points:
            met = found.setdefault((curve.scenario, Load(curve.load_kind, point.value)), set())
            if highest is not None and point.value <= highest:
                met.add(curve.target)
    return found
