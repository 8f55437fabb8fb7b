"""What is said of a run as a whole, and of how far it can be trusted."""

from collections import Counter
from datetime import datetime
from typing import get_args

from twinbench.analyse.results import Results, Verdict
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.verdicts import summary
from twinbench.store import Machine

CLOSED_LIMIT = (
    "Closed loads: each user waits for its answer before it sends again. The latencies are those"
    " of so many users, not of a given arrival rate; when a server slows down, so do its users."
)
OPEN_LIMIT = (
    "Open loads: a request is timed from when it was meant to be sent. Rates at which a server"
    " falls behind have no latency of their own: it grows as long as one watches."
)
DECIDED_LIMIT = (
    "Who is ahead is decided with 5 % of doubt for all loads of a scenario together (Holm), not for"
    " all scenarios: of twenty that are equal, one may be shown as different by chance."
)
STOP_LIMIT = (
    "A server that would stop answering later than a window ends is not seen to stop; longer"
    " windows (measure_s) find it sooner."
)
SHIPPED_LIMIT = "SQLite has no asynchronous driver: aiosqlite runs one thread per connection."
# The apps to which the limit of SQLite applies.
SHIPPED = "apps."


def limits(results: Results) -> list[str]:
    """What the figures do not say."""
    kinds = {curve.load_kind for curve in results.curves}
    shipped = any((target.app or "").startswith(SHIPPED) for target in results.plan.targets)
    stops = any(cell.status == "collapsed" for cell in results.cells)
    return [
        "One machine, one Python, one day: the ratios carry over better than the absolute figures.",
        "Server and generator share the machine; each has its own core where the system allows.",
        *([CLOSED_LIMIT] if "closed" in kinds else []),
        *([OPEN_LIMIT] if "open" in kinds else []),
        "Each interval stands for itself (95 %); with so many of them a few will miss the truth.",
        *([DECIDED_LIMIT] if results.comparisons else []),
        "A percentile is given only where at least 20 samples lie beyond it.",
        *([STOP_LIMIT] if stops else []),
        *([SHIPPED_LIMIT] if shipped else []),
    ]


def validity(results: Results) -> str:
    """How many cells count."""
    counts = Counter(cell.status for cell in results.cells)
    blocks = results.plan.blocks
    parts = [f"{len(results.cells):,} cells in {blocks} block{'s' if blocks > 1 else ''}"]
    parts += [f"{counts['collapsed'] or 'none'} collapsed", f"{counts['void'] or 'none'} void"]
    if results.missing_cells:
        parts.append(f"{results.missing_cells:,} not measured yet")
    return ", ".join(parts) + "."


def claim_rows(results: Results) -> list[list[str]]:
    """Of each published sentence: what it says, what this run says of it, why, and its source."""
    return [[c.text, c.verdict, c.because, c.source] for c in results.claims]


def claims(results: Results) -> str:
    """How many published sentences hold here; empty where none was put to the test."""
    counts = Counter(claim.verdict for claim in results.claims)
    if not results.claims:
        return ""
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict))


def pairs(results: Results) -> str:
    """Which target is divided by which, in all comparisons."""
    return ", ".join(dict.fromkeys(f"{c.candidate} / {c.baseline}" for c in results.comparisons))


def marks(results: Results) -> str:
    """What the marks beside ratios say."""
    above = " or ".join(dict.fromkeys(c.candidate for c in results.comparisons))
    below = " or ".join(dict.fromkeys(c.baseline for c in results.comparisons))
    return (
        f"▲: {above} is shown to be ahead, ▼: {below} is, no mark: no difference is shown;"
        " “only”: the other one stopped answering."
    )


def overview(results: Results, kind: LoadKind, of: str) -> str:
    """What the overview of one kind of load shows; `of`: what is divided by what."""
    if kind == "closed":
        return f"Throughput, {of}, by number of users"
    metrics = {c.metric for _, compared in results.pairs(kind) for c in compared}
    by = " or ".join(sorted(metrics))
    return f"Response time ({by}), {of}, by requests/s offered"


def conditions(machine: Machine) -> list[str]:
    """What is known of a machine beyond its name, in words."""
    threads, turbo = machine.threads_per_core, machine.turbo
    virtual = machine.virtualization
    of_virtual = "no virtual machine" if virtual == "none" else f"virtual machine ({virtual})"
    known = {
        f"{threads} hardware thread{'s' if threads != 1 else ''} per core": threads,
        f"frequency governor {machine.governor}": machine.governor,
        f"turbo {'on' if turbo else 'off'}": turbo,
        of_virtual: virtual,
        f"in a container ({machine.container})": machine.container,
        f"CPU quota of {machine.cpu_quota} CPUs": machine.cpu_quota,
        f"memory limit of {machine.memory_limit_mib} MiB": machine.memory_limit_mib,
        f"load average {machine.load_average} before the run": machine.load_average,
    }
    return [text for text, value in known.items() if value is not None]


def unequal(results: Results) -> list[str]:
    """Which targets are not meant to equal their baseline: their ratios are about that too."""
    return [
        f"{target.name} is meant to differ from its baseline: {target.why_differs}"
        for target in results.plan.targets
        if target.differs
    ]


def started(results: Results) -> str:
    """When the run was begun, in local time with its zone, as the name of its folder has it."""
    at = datetime.fromisoformat(results.timing.started)
    return f"{at:%Y-%m-%d %H:%M} {at.tzname()}"


def timing(results: Results) -> str:
    timing = results.timing
    share = timing.window_s / timing.elapsed_s if timing.elapsed_s else 0.0
    return (
        f"{style.duration(timing.elapsed_s)} of measuring, {100 * share:.0f} % of it inside"
        f" measuring windows of {_windows(results)} s."
    )


def _windows(results: Results) -> str:
    windows = [results.plan.measure_s_of(scenario.name) for scenario in results.plan.scenarios]
    least, most = f"{min(windows):g}", f"{max(windows):g}"
    return least if least == most else f"{least} to {most}"


def reasons(results: Results) -> list[tuple[str, int]]:
    """Every reason that a cell was given, with how many cells have it, most common first."""
    counts = Counter(
        f"{cell.scenario}, {cell.target}, {cell.load.label}: {reason}"
        for cell in results.cells
        for reason in cell.reasons
    )
    return counts.most_common()


def alt(results: Results, scenario: str, what: str) -> str:
    """What a chart shows, for those who cannot see it."""
    return f"{what} for {scenario}. " + " ".join(summary(results, scenario))
