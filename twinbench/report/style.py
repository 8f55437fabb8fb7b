"""What all charts, pages and tables share: colours, and how numbers and verdicts are written."""

from twinbench.analyse.results import Comparison, Estimate

# Told apart by everybody, and in grey: they differ in lightness, and so do their markers.
BASELINE, CANDIDATE = "#b84f08", "#1565c0"
COLOURS = (BASELINE, CANDIDATE, "#2e7d32", "#8e24aa")
MARKERS = ("s", "o", "^", "D", "v", "P", "*", "p")
GREY, PALE, INK, PAGE = "#6b7078", "#e4e6e9", "#30343a", "#ffffff"

# Each colour under the name of its CSS variable: on paper, in the light and in charts as files;
# in the dark. Letters in any of them can be read on the page: a contrast of 4.5 (WCAG AA). PALE is
# no colour for letters, but a ground for INK.
PALETTE = {
    "baseline": (BASELINE, "#f2955a"),
    "candidate": (CANDIDATE, "#7db4f5"),
    "third": (COLOURS[2], "#7cc47f"),
    "fourth": (COLOURS[3], "#d493e0"),
    "quiet": (GREY, "#a2a8b1"),
    "ink": (INK, "#e6e8eb"),
    "pale": (PALE, "#343941"),
    "page": (PAGE, "#16181c"),
}
# For the colours that a chart has as a file, what it has in a page. Black is what matplotlib takes
# where it is told nothing.
VARIABLES = {light: f"var(--{name})" for name, (light, _) in PALETTE.items()}
VARIABLES["#000000"] = VARIABLES[INK]


def colour(n: int) -> str:
    """Of a scenario's n-th target; the first is the baseline."""
    return COLOURS[n % len(COLOURS)]


def marker(n: int) -> str:
    """Of a scenario's n-th target."""
    return MARKERS[n % len(MARKERS)]


def of_target(target: str, comparison: Comparison) -> str:
    """Colour of `target` in a comparison; grey for nobody."""
    return {comparison.baseline: BASELINE, comparison.candidate: CANDIDATE}.get(target, GREY)


def number(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure(value: float) -> str:
    """As many digits as a check against bounds needs."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def times(ratio: Estimate | None) -> str:
    """A ratio as a factor: 1.25×."""
    return "–" if ratio is None else f"{ratio.estimate:.2f}×"


def bounds(ratio: Estimate | None) -> str:
    """The interval of a ratio; empty where there is none."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return ""
    return f"{ratio.low:.2f} to {ratio.high:.2f}"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def advantage(comparison: Comparison) -> str:
    """Who is better by this comparison; empty if nothing was shown."""
    ahead = {"faster": comparison.candidate, "slower": comparison.baseline}
    return ahead.get(comparison.decision, "")


def verdict(comparison: Comparison) -> str:
    """One phrase for a table: who is ahead, by how much, and in how many blocks one collapsed."""
    if comparison.survivor:
        return f"{comparison.survivor} only"
    if comparison.ratio is None:
        return "not comparable"
    mark = {"faster": " ▲", "slower": " ▼"}.get(comparison.decision, "")
    collapses = f" ({'; '.join(comparison.collapses)})" if comparison.collapses else ""
    return times(comparison.ratio) + mark + collapses
