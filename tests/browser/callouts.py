"""Screenshots of the sample for docs/reading-a-report.md, with numbers drawn onto them.

`.venv/bin/python -m tests.browser.callouts` writes them.
"""

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from tests.browser.conftest import ARGS, PATIENCE_MS
from tools.sample import SAMPLE
from twinbench.paths import ROOT

CHROMIUM = "/usr/bin/chromium"
DOCS = ROOT / "docs"
WIDTH = 1280
HEAT_MAP_PX = 330  # height of the part that is shown: about two groups
COLOURS = 256  # enough for text and charts; half of the bytes
SCENARIO = "#scenario-read_post"  # it collapses, so it has all kinds of charts
VERDICTS = "#verdicts-closed"

# The element that each number of the page's tables is drawn behind.
FIRST_SCREEN = (
    ".headline",
    ".badges li:last-child",
    f"{VERDICTS} thead th:nth-child(1)",
    f"{VERDICTS} thead th:nth-child(2)",
    f"{VERDICTS} thead th:nth-child(3)",
    f"{VERDICTS} td.quiet abbr",
    f"{VERDICTS} thead svg text:nth-last-child(2)",
    f"{VERDICTS} td.p99",
    f"{VERDICTS} thead th:last-child",
    "main > figure text:has-text('which target is faster')",
)
SECTION = (
    "tr:has-text('Peak requests') th",
    "tr:has-text('p99 within') th",
    "tr:has-text('Limited by') th",
    "tr:has-text('CPU per request') th",
    "figure text:has-text('Throughput (')",
    "figure text:has-text('p50 dashed')",
    "figure text:has-text('Throughput:')",
    "figure text:has-text('by percentile')",
    "figure text:has-text('sync at')",
    "summary",
)
DRAW = """(element, number) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const end = [...range.getClientRects()].filter(one => one.width).pop();
    const circle = document.createElement('b');
    circle.textContent = number;
    circle.style.cssText = `position: absolute; width: 22px; height: 22px; border-radius: 50%;
        font: bold 13px/22px sans-serif; text-align: center; color: white; background: #8a1c7c;
        left: ${end.right + scrollX + 4}px; top: ${end.top + end.height / 2 + scrollY - 11}px`;
    document.body.append(circle);
}"""


def draw(browser: Browser, folder: Path) -> list[Path]:
    """Write both screenshots to `folder`, and return their paths."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.goto((SAMPLE / "report.html").as_uri())
    page.locator(f"{SCENARIO} details").evaluate("one => one.open = true")
    _number(page, FIRST_SCREEN)
    _number(page, [f"{SCENARIO} {part}" for part in SECTION])
    heat_map, section = _top_and_height(page, "main > figure"), _top_and_height(page, SCENARIO)
    paths = [
        _save(page, 0, heat_map[0] + HEAT_MAP_PX, folder / "reading-a-report.png"),
        _save(page, *section, folder / "reading-a-scenario.png"),
    ]
    page.close()
    return paths


def _number(page: Page, selectors: Iterable[str]) -> None:
    for number, selector in enumerate(selectors, start=1):
        page.locator(selector).first.evaluate(DRAW, number)


def _top_and_height(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).first.bounding_box()
    if box is None:
        raise ValueError(f"{selector} is not shown")
    return box["y"], box["height"]


def _save(page: Page, top: float, height: float, path: Path) -> Path:
    clip: FloatRect = {"x": 0, "y": top, "width": WIDTH, "height": height}
    png = page.screenshot(clip=clip, full_page=True)
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    return path


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        draw(browser, DOCS)
        browser.close()


if __name__ == "__main__":
    main()
