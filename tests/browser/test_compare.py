"""A comparison of versions in a browser: on a phone, in the dark, and its closed scenarios."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import opened
from tests.browser.test_report import DESKTOP, OPEN_ALL, OVERFLOW, PHONE
from tests.support import factories
from twinbench.analyse.verdict import compare_versions
from twinbench.report.versions import build_versions
from twinbench.report.write import write_versions

# Contrast of the text of an element with the page, as WCAG computes it.
CONTRAST = """one => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const both = [getComputedStyle(one).color, getComputedStyle(document.body).backgroundColor];
    const [dark, bright] = both.map(light).sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    scenarios = [
        factories.scenario(name="read_post", title="Read a post", closed=[1, 8]),
        factories.scenario(name="list_posts", closed=[8]),
        factories.scenario(name="feed", open=[100]),
    ]
    results = factories.versions_results(
        factories.versions_plan(scenarios=scenarios), head={"read_post": 0.8, "feed": 1.3}
    )
    view = build_versions(results, compare_versions(results))
    return write_versions(view, tmp_path_factory.mktemp("run"), lambda _: None).as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page


@pytest.mark.smoke
def test_a_phone_shows_the_answer_and_does_not_scroll_sideways(page: Page) -> None:
    page.set_viewport_size(PHONE)
    expect(page.locator(".headline .slower")).to_be_in_viewport(ratio=1)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) <= 0
    box = page.locator("#rows").locator("xpath=..")
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_a_row_leads_to_its_closed_scenario(page: Page) -> None:
    page.set_viewport_size(DESKTOP)
    charts = page.locator("#scenario-list_posts .charts")
    expect(charts).to_be_hidden()
    expect(page.locator("#scenario-read_post .charts")).to_be_visible()
    page.get_by_role("link", name="list_posts at 8 users").click()
    expect(charts).to_be_visible()


def test_verdicts_are_readable_in_both_schemes(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for name in ("slower", "faster", "quiet"):
            assert page.locator(f"#rows td.{name}").first.evaluate(CONTRAST) >= 4.5
