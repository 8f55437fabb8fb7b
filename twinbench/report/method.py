"""Validity of a run: badges, self-check, preflight, machine, and every measurement."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from twinbench.analyse.gates import MAX_ERRORS
from twinbench.analyse.results import CellResult, Results, Timing
from twinbench.analyse.statistics import MARGIN
from twinbench.plan import ASPECTS, Target, differences_text
from twinbench.report.elements import Badge, Table
from twinbench.report.facts import error_share
from twinbench.report.format import number
from twinbench.report.pairs import TargetPair, title
from twinbench.selfcheck.result import SelfCheck
from twinbench.store import Machine, Sharing
from twinbench.text import count, duration, figure
from twinbench.versions.result import BASE, HEAD

SHARING: dict[Sharing, str] = {
    "unpinned": "nothing pinned to cores",
    "one core": "server and generator share a core",
    "hardware threads": "server and generator share a core",
    "quota": "server and generator share a CPU quota",
}
DEFINITIONS = (
    ("closed load, N users", "each user waits for its response before the next request"),
    (
        "open load, R requests/s",
        "requests are sent at this rate, whether or not others are answered",
    ),
    ("throughput", "correct responses per second"),
    ("response time", "from when a request should have been sent to its last byte"),
    ("p50, p99", "50 and 99 of 100 requests are answered within this time"),
    ("block", "one repetition of all measurements, in random order, on fresh servers"),
    (
        "faster, slower",
        f"beyond a margin of {MARGIN:.0%}, at a 5 % level for all loads of a scenario (Holm)",
    ),
    ("~", "no difference is shown; “would have seen” is what four runs in five would have shown"),
    ("collapses, only", "the server stops answering under load; only the other one goes on"),
    ("errors", f"responses that were wrong or missing, beyond {MAX_ERRORS:.1%}"),
    ("deadlock", "all worker threads wait for a connection, its holders wait for a thread"),
    ("invalid", "a validity check failed: shown, and left out of every figure"),
    ("A/A check", "the same target measured twice: no difference may be shown"),
    ("95 % interval", "of the geometric mean over blocks (Student’s t on logarithms)"),
)
LIMITS = (
    "One machine, one Python, one day: ratios carry over better than absolute figures.",
    "Of twenty scenarios with equal targets, one may show a difference by chance.",
    "A collapse later than the end of a measurement is not seen; a longer measure_s finds it.",
)
RUNS_ALREADY = "was running before: not fresh, not pinned, no memory limit"
TELEMETRY = {"inside": "", "outside": "telemetry from outside", "none": "no telemetry"}
OWN_APPS = ("apps.sync_app.", "apps.async_app.")
LIMIT_OF_SQLITE = "SQLite has no asynchronous driver: aiosqlite runs one thread per connection."
DEF_OR_ASYNC = ("def", "async def")
MOST_CHOICES = 4  # in the title
REMARKS = "remarks"
# A row has about 200 bytes, and a page at most 2 MB.
MOST_CELLS = 3000
MOST_REASONS = 200


def badges(results: Results, pairs: Sequence[TargetPair]) -> tuple[Badge, ...]:
    """Return the validity of a run: measurements, self-check, A/A checks, and exceptions."""
    aa_checks = [_aa_check(pair) for pair in pairs if pair.aa_check]
    return (
        *_measurements(results),
        _self_check(results.self_check),
        *{badge.text: badge for badge in aa_checks}.values(),  # of equal ones the last
        *_exceptions(results),
    )


def _measurements(results: Results) -> Iterable[Badge]:
    counts, measured = Counter(cell.status for cell in results.cells), len(results.cells)
    valid = counts["valid"]
    text = f"{valid:,} of {count(measured, 'measurement')} valid"
    yield Badge(text, "good" if valid else "bad", "measurements")
    if counts["collapsed"]:
        yield Badge(f"{counts['collapsed']:,} collapsed", "plain", "measurements")
    if counts["invalid"]:
        errors = sum(bool(error_share(cell)) for cell in results.cells)
        cause = f" ({errors:,} with errors)" if errors else ""
        yield Badge(f"{counts['invalid']:,} invalid{cause}", "plain", "measurements")
    repeated = sum(len(each.loads) for each in results.added if each.reason == "disturbed")
    if repeated:
        yield Badge(f"{count(repeated, 'load')} measured again", "plain", "measurements")
    if results.missing_cells:
        yield Badge(f"{results.missing_cells:,} not measured yet", "bad", "measurements")
    if results.plan.blocks == 1:
        yield Badge("one block: no intervals", "bad", "method")


def _self_check(found: SelfCheck | None) -> Badge:
    if found is None:
        return Badge("no self-check", "bad", "self-check")
    if found.failed:
        failed = "; ".join(check.name for check in found.failed)
        return Badge(f"self-check failed: {failed}", "bad", "self-check")
    passed = len(found.checks)
    return Badge(f"self-check {passed} of {passed}", "good", "self-check")


def _aa_check(pair: TargetPair) -> Badge:
    section = f"scenario-{pair.scenario.name}"
    if any(pair.faster(c) is not None for c in pair.comparisons):
        return Badge("A/A: a difference is shown", "bad", section)
    if any(c.decision == "no difference shown" for c in pair.comparisons):
        return Badge("A/A: no difference shown", "good", section)
    return Badge("A/A: not comparable", "plain", section)


def _exceptions(results: Results) -> Iterable[Badge]:
    if sweep := results.plan.sweep:
        targets = count(len(results.plan.targets), "target")
        yield Badge(f"{targets} differ in {', '.join(sweep.axes)}", "plain", "method")
    for target in results.plan.targets if not sweep else ():
        if target.expected_differences:
            yield Badge(f"{title(target)} is expected to differ", "plain", "method")
    for scenario in results.plan.scenarios:
        if scenario.expected_differences:
            text = f"{title(scenario)}: requests are expected to differ"
            yield Badge(text, "plain", "method")
    if sharing := results.machine.sharing:
        yield Badge(SHARING[sharing], "bad", "method")
    missing = {aspect for pair in results.preflight for aspect in pair.missing}
    if missing:
        names = ", ".join(aspect for aspect in ASPECTS if aspect in missing)
        yield Badge(f"preflight: {names} not compared", "plain", "preflight")


def remarks_badge(remarks: int) -> tuple[Badge, ...]:
    return (Badge(count(remarks, "remark"), "bad", REMARKS),) if remarks else ()


def origin(results: Results) -> str:
    """Return plan, time, machine and versions in a line."""
    started = datetime.fromisoformat(results.timing.started)
    machine = results.machine
    stack = ", ".join(filter(None, (_versions(results, name) for name in ("Python", "FastAPI"))))
    server = len(machine.server_cores)
    cores = count(machine.cores, "core") + (f" ({server} for the server)" if server else "")
    plan = f"Plan “{results.plan.name}”, {started:%Y-%m-%d %H:%M} {started.tzname()}"
    return " · ".join(filter(None, (plan, f"{machine.cpu}, {cores}", stack)))


def _versions(results: Results, name: str) -> str:
    """Return the version of what the apps run on; of targets with other ones, each."""
    apps = [target.name for target in results.plan.targets if target.app]
    found = filter(None, (results.version(name.lower(), target) for target in apps))
    known = list(dict.fromkeys(found))
    return f"{name} {' and '.join(known)}" if known else ""


def question(results: Results) -> tuple[str, ...]:
    """Return the choices that a run is about: versions, or `def` and `async def`, or targets."""
    targets = results.plan.targets
    if results.compared_versions:
        return BASE, HEAD
    if sweep := results.plan.sweep:
        return (f"Which {', '.join(sweep.axes)}",)
    if _own(results):
        return DEF_OR_ASYNC
    return tuple(dict.fromkeys(title(target) for target in targets))[:MOST_CHOICES]


def limits(results: Results) -> tuple[str, ...]:
    """Return what the figures of this run cannot show."""
    on_sqlite = any("BLOG_DATABASE_URL" not in target.env for target in _own(results))
    return (*LIMITS, LIMIT_OF_SQLITE) if on_sqlite else LIMITS


def _own(results: Results) -> list[Target]:
    """Return the targets that are built-in apps."""
    return [t for t in results.plan.targets if (t.app or "").startswith(OWN_APPS)]


def setup_table(results: Results) -> Table:
    """Return machine, schedule and versions, each with its name."""
    plan, machine, timing = results.plan, results.machine, results.timing
    cores = "not pinned"
    if machine.server_cores:
        server, generator = (
            ", ".join(map(str, own)) for own in (machine.server_cores, machine.generator_cores)
        )
        cores = f"server on {server}, generator on {generator}"
        if machine.database_cores:
            cores += f", PostgreSQL on {', '.join(map(str, machine.database_cores))}"
    size = f"{count(machine.cores, 'core')}, {machine.memory_gib} GiB, {machine.system}"
    rows = [
        ("machine", f"{machine.cpu}, {size}"),
        ("cores", cores),
        ("conditions", "; ".join(conditions(machine))),
        (
            "schedule",
            f"{count(plan.blocks, 'block')}; {plan.measure_s:g} s per measurement unless a scenario"
            f" says otherwise, after {plan.warmup_s:g} s of warm-up or more; seed {plan.seed}",
        ),
        ("clients", "; ".join(_clients(results))),
        ("duration", f"{duration(timing.elapsed_s)}: {', '.join(_spent(timing))}"),
        *_version_rows(results),
    ]
    return _words("setup", "Machine and schedule", ("", ""), (row for row in rows if row[1]))


def _version_rows(results: Results) -> Iterable[tuple[str, str]]:
    """Yield versions, by environment."""
    own: dict[str, list[str]] = {}
    for target, versions in results.target_versions.items():
        own.setdefault(_listed(versions), []).append(target)
    of_twinbench = "versions of twinbench" if own else "versions"
    yield of_twinbench, _listed(results.versions)
    yield from ((f"versions of {', '.join(targets)}", text) for text, targets in own.items())


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in versions.items())


def _clients(results: Results) -> Iterable[str]:
    """Yield which client measured what, if there is another than twinbench's own."""
    clients = {cell.scenario: cell.client for cell in results.cells}
    if not any(clients.values()):
        return
    for client in sorted(set(clients.values())):
        of = ", ".join(name for name, each in clients.items() if each == client)
        yield f"{f'Locust’s {client}' if client else 'twinbench’s own'} ({of})"
    yield (
        "Little’s law is not checked for users of a locustfile, who wait as it says; instead, that"
        " all of them ran to the end"
    )


def _spent(timing: Timing) -> Iterable[str]:
    """Yield the shares of a run's time."""
    parts = {
        "measuring windows": timing.window_s,
        "warm-up and draining": timing.warmup_s,
        "starting servers": timing.starts_s,
        "checks": timing.checks_s,
    }
    for name, seconds in parts.items():
        yield f"{seconds / (timing.elapsed_s or 1.0):.0%} {name}"


def conditions(machine: Machine) -> list[str]:
    """Return what is known of the machine beyond its CPU and memory."""
    known = {
        f"{machine.threads_per_core} hardware threads per core": machine.threads_per_core,
        f"frequency governor {machine.governor}": machine.governor,
        f"turbo {'on' if machine.turbo else 'off'}": machine.turbo,
        f"virtualization: {machine.virtualization}": machine.virtualization,
        f"container: {machine.container}": machine.container,
        f"CPU quota of {machine.cpu_quota} CPUs": machine.cpu_quota,
        f"memory limit of {machine.memory_limit_mib} MiB": machine.memory_limit_mib,
        f"load average {machine.load_average} before the run": machine.load_average,
    }
    return [text for text, value in known.items() if value is not None]


def targets_table(results: Results) -> Table:
    rows = (
        (
            target.name,
            target.app or target.url or " ".join(target.command or ()),
            _server(target, results.version(target.server_name, target.name)),
            _settings(target) or ("" if target.url else "defaults"),
            "" if target.url else str(target.workers),
            differences_text(target.expected_differences),
        )
        for target in results.plan.targets
    )
    header = ("target", "app", "server", "settings", "workers", "expected to differ")
    return _words("targets", "Targets", header, rows)


def _server(target: Target, version: str) -> str:
    """Return the server of a target, its version, and where its telemetry is from."""
    parts = (
        f"{target.server_name} {version}".strip(),
        RUNS_ALREADY if target.url else "",
        TELEMETRY[target.telemetry_from],
    )
    return "; ".join(filter(None, parts))


def _settings(target: Target) -> str:
    settings = {**target.env, **target.all_server_options}
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def preflight_table(results: Results) -> Table:
    """Return what the preflight compared, a row for each pair."""
    header = (
        *("pair", "scenarios", "requests", "equal", "not compared", "expected to differ"),
        *("differ at every start", "took"),
    )
    rows = (
        (
            f"{pair.candidate} / {pair.baseline}",
            ", ".join(pair.scenarios),
            str(pair.requests),
            ", ".join(pair.equal),
            pair.missing_text,
            pair.declared_text,
            count(pair.volatile, "value") if pair.volatile else "",
            duration(pair.took_s) if pair.took_s else "",
        )
        for pair in results.preflight
    )
    return _words("preflight", "Preflight: compared before anything was measured", header, rows)


def self_check_table(results: Results) -> Table:
    """Return the checks of the load generator before the run, no rows without a self-check."""
    found = results.self_check
    rows = [
        (
            check.name,
            "PASS" if check.ok else "FAIL",
            figure(check.measured),
            check.allowed,
            check.unit,
            "" if check.ok else check.advice,
        )
        for check in (found.checks if found else ())
    ]
    header = ("check", "verdict", "measured", "allowed", "unit", "what to do")
    caption = f"Self-check before the run, {found.started}" if found else ""
    return _words("self-check-items", caption, header, rows)


def floor_text(found: SelfCheck) -> str:
    """Return the times that this machine adds to every measurement."""
    floor = found.floor
    return (
        f"An empty server responds in {number(floor.latency_p50_ms)} ms (p99"
        f" {number(floor.latency_p99_ms)} ms); the generator sends it"
        f" {number(found.capacity_rps)} requests/s. A timer fires {number(floor.lag_p50_ms)} ms"
        f" late (p99 {number(floor.lag_p99_ms)} ms)."
    )


def claims_table(results: Results) -> Table:
    rows = ((claim.text, claim.verdict, claim.evidence, claim.source) for claim in results.claims)
    header = ("published claim", "this run", "because", "source")
    return _words("claims", "Published claims, and whether this run shows them", header, rows)


def cells_table(results: Results) -> Table:
    """Return every measurement in its order; of too many, those that are not valid."""
    shown = results.cells
    if len(shown) > MOST_CELLS:
        shown = [cell for cell in shown if cell.status != "valid"][:MOST_CELLS]
    header = (
        *("cell", "block", "scenario", "target", "load", "status"),
        *("requests/s", "p50 ms", "p99 ms", "reasons"),
    )
    what = "All measurements" if len(shown) == len(results.cells) else "Measurements not valid"
    caption = f"{what} ({len(shown):,})"
    return Table("cells", caption, header, tuple(map(_cell_row, shown)), anchor="cell")


def _cell_row(cell: CellResult) -> tuple[str, ...]:
    return (
        str(cell.id),
        str(cell.block),
        cell.scenario,
        cell.target,
        cell.load.label,
        cell.status,
        number(cell.throughput_rps),
        number(cell.latency_ms.p50),
        number(cell.latency_ms.p99),
        "; ".join(cell.reasons),
    )


def reasons_table(results: Results) -> Table:
    """Return every reason of a measurement, the most frequent first."""
    counts = Counter(
        (cell.scenario, cell.target, cell.load.label, cell.status, reason)
        for cell in results.cells
        for reason in cell.reasons
    )
    rows = ((*where, str(blocks)) for where, blocks in counts.most_common(MOST_REASONS))
    header = ("scenario", "target", "load", "status", "reason", "blocks")
    caption = "Collapsed, invalid or conspicuous measurements"
    return _words("reasons", caption, header, rows)


def _words(
    id_: str, caption: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]
) -> Table:
    return Table(id_, caption, header, tuple(rows), words=True)
