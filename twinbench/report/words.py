"""What is said of a run as a whole, and of how far it can be trusted."""

from twinbench.analyse.results import Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.verdicts import summary

CLOSED_LIMIT = (
    "Closed loads: each user waits for its answer before it sends again. The latencies are those"
    " of so many users, not of a given arrival rate; when a server slows down, so do its users."
)
OPEN_LIMIT = (
    "Open loads: a request is timed from when it was meant to be sent. Rates at which a server"
    " falls behind have no latency of their own: it grows as long as one watches."
)


def limits(results: Results) -> list[str]:
    """What the figures do not say."""
    kinds = {curve.load_kind for curve in results.curves}
    return [
        "One machine, one Python, one day: the ratios carry over better than the absolute figures.",
        "Server and generator share the machine; each has its own core where the system allows.",
        *([CLOSED_LIMIT] if "closed" in kinds else []),
        *([OPEN_LIMIT] if "open" in kinds else []),
        "Each interval stands for itself (95 %); with so many of them a few will miss the truth.",
        "A percentile is given only where at least 20 samples lie beyond it.",
        "SQLite has no asynchronous driver: aiosqlite runs one thread per connection.",
    ]


def validity(results: Results) -> str:
    """How many cells count."""
    cells = results.cells
    void = sum(cell.status == "void" for cell in cells)
    collapsed = sum(cell.status == "collapsed" for cell in cells)
    blocks = results.plan.blocks
    parts = [f"{len(cells)} cells in {blocks} block{'s' if blocks > 1 else ''}"]
    parts.append(f"{collapsed} collapsed" if collapsed else "none collapsed")
    parts.append(f"{void} void" if void else "none void")
    if results.missing_cells:
        parts.append(f"{results.missing_cells} not measured yet")
    return ", ".join(parts) + "."


def pairs(results: Results) -> str:
    """Which target is divided by which, in all comparisons."""
    return ", ".join(dict.fromkeys(f"{c.candidate} / {c.baseline}" for c in results.comparisons))


def overview(results: Results, kind: LoadKind, of: str) -> str:
    """What the overview of one kind of load shows; `of`: what is divided by what."""
    if kind == "closed":
        return f"Throughput, {of}, by number of users"
    metrics = {c.metric for _, compared in results.pairs(kind) for c in compared}
    by = " or ".join(sorted(metrics))
    return f"Response time ({by}), {of}, by requests/s offered"


def unequal(results: Results) -> list[str]:
    """Which targets are not meant to equal their baseline: their ratios are about that too."""
    return [
        f"{target.name} is meant to differ from its baseline: {target.why_differs}"
        for target in results.plan.targets
        if target.differs
    ]


def timing(results: Results) -> str:
    timing = results.timing
    share = timing.window_s / timing.elapsed_s if timing.elapsed_s else 0.0
    return (
        f"{style.duration(timing.elapsed_s)} of measuring, {share:.0%} of it inside measuring"
        f" windows of {results.plan.measure_s:g} s."
    )


def reasons(results: Results) -> list[tuple[str, int]]:
    """Every reason that a cell was given, with how many cells have it, most common first."""
    counts: dict[str, int] = {}
    for cell in results.cells:
        for reason in cell.reasons:
            text = f"{cell.scenario}, {cell.target}, {cell.load.label}: {reason}"
            counts[text] = counts.get(text, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def alt(results: Results, scenario: str, what: str) -> str:
    """What a chart shows, for those who cannot see it."""
    return f"{what} for {scenario}. " + " ".join(summary(results, scenario))
