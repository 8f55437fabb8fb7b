"""Closed and open loads are two questions: never on one axis, and each in its own words."""

from collections.abc import Sequence

from twinbench.analyse.results import Metric, Results
from twinbench.findings import Calibration, Item
from twinbench.plan import LoadKind

KINDS: tuple[LoadKind, ...] = ("closed", "open")
AXIS: dict[LoadKind, str] = {"closed": "users", "open": "requests/s offered"}
EVERYWHERE: dict[LoadKind, str] = {"closed": "at every load", "open": "at every rate"}
HEADINGS: dict[LoadKind, str] = {
    "closed": "Closed loads: so many users, each waits for its answer",
    "open": "Open loads: so many requests a second, whether answered or not",
}
# What is drawn; at a given rate throughput is the rate.
DRAWN: dict[LoadKind, tuple[Metric, ...]] = {
    "closed": ("throughput", "p50", "p99"),
    "open": ("p50", "p99"),
}
TITLES: dict[LoadKind, dict[Metric, str]] = {
    "closed": {
        "throughput": "Throughput (good answers a second)",
        "p50": "Latency, median (ms)",
        "p99": "Latency, 99th percentile (ms)",
    },
    "open": {
        "p50": "Response time, median (ms)",
        "p99": "Response time, 99th percentile (ms)",
    },
}
# Of what a metric counts; written after a figure.
UNITS: dict[Metric, str] = {
    "throughput": "/s",
    "per_cpu_s": " a CPU second",
    "p50": " ms",
    "p99": " ms",
}
RATIOS: dict[Metric, str] = {
    "throughput": "Throughput",
    "per_cpu_s": "Requests per CPU second",
    "p50": "Median response time",
    "p99": "p99 response time",
}


def kinds_of(results: Results, scenario: str) -> list[LoadKind]:
    """The kinds of load that a scenario was put under."""
    return [kind for kind in KINDS if results.curves_of(scenario, kind)]


def chart_name(scenario: str, kind: LoadKind, what: str) -> str:
    """Name of a chart's file; `what`: a metric, or `ratio`."""
    return f"{scenario}.{what}" if kind == "closed" else f"{scenario}.open.{what}"


def overview_name(kind: LoadKind) -> str:
    return "overview" if kind == "closed" else "overview.open"


def picture_name(found: Calibration, item: Item) -> str:
    """Name of the chart of one item of calibration."""
    return f"calibration.{found.form}.{item.number}"


def span(kind: LoadKind, loads: Sequence[int]) -> str:
    """A load, or a stretch of them: `1 user`, `8 to 64 users`, `100 requests/s`."""
    unit = "requests/s" if kind == "open" else "user" if loads[-1] == 1 else "users"
    return f"{_of(loads)} {unit}"


def _of(loads: Sequence[int]) -> str:
    return f"{loads[0]:,}" if len(loads) == 1 else f"{loads[0]:,} to {loads[-1]:,}"
