"""Screenshots for docs/reading-a-report.md."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests.browser.callouts import DOCS, WIDTH, draw

MOST_BYTES = 150_000


def test_screenshots_are_made_from_the_sample(browser: Browser, tmp_path: Path) -> None:
    made = draw(browser, tmp_path)
    assert len(made) == 2
    for path in made:
        assert path.stat().st_size < MOST_BYTES
        with Image.open(path) as picture:
            assert picture.width == WIDTH
        assert path.name in (DOCS / "reading-a-report.md").read_text(encoding="utf-8")
