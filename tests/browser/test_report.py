"""A report in a browser: on a desktop and on a phone, light, dark and on paper, by keyboard."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.conftest import opened
from tests.support import factories
from tests.support.runs import GOLDEN
from twinbench.analyse.results import ClaimResult
from twinbench.analyse.run import analyse
from twinbench.report.view import build_view
from twinbench.report.write import write_report
from twinbench.store import Store

PHONE: ViewportSize = {"width": 390, "height": 844}
PAPER: ViewportSize = {"width": 733, "height": 1062}  # A4 less margins of 8 mm
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
HOSTILE = "<script>document.title = 'mine'</script><img src=x onerror=\"document.title='mine'\">"
FAILED = factories.check("delays", ok=False, advice=HOSTILE)
CLAIM = ClaimResult(
    id="io", text=HOSTILE, source=HOSTILE, verdict="refuted", evidence="0.5 at 8 users", cells=[1]
)
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
TEXT = "getComputedStyle(document.querySelector('.chart text')).fill"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(GOLDEN / "run", folder)
    store = Store.open(folder)
    store.write_self_check(factories.self_check(FAILED))
    results = analyse(store).model_copy(update={"claims": [CLAIM]})
    return write_report(build_view(results), folder, lambda _: None).as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page


def table(page: Page) -> Locator:
    return page.locator("#figures-noop-closed")


def column(page: Page, n: int) -> list[str]:
    return table(page).locator(f"tbody tr > :nth-child({n})").all_text_contents()


@pytest.mark.smoke
def test_a_table_is_sorted_by_click_and_by_keyboard(page: Page) -> None:
    page.locator("#scenario-noop summary").click()
    users = table(page).locator("thead th").first
    assert column(page, 1) == ["1", "8"]
    users.get_by_role("button").click()
    expect(users).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Enter")
    expect(users).to_have_attribute("aria-sort", "descending")
    assert column(page, 1) == ["8", "1"]
    ratio = table(page).locator("thead th").nth(1)
    ratio.get_by_role("button").focus()
    page.keyboard.press("Space")
    expect(ratio).to_have_attribute("aria-sort", "ascending")
    expect(users).not_to_have_attribute("aria-sort", "descending")
    ratios = [float(text.split("×")[0]) for text in column(page, 2)]
    assert ratios == sorted(ratios)


@pytest.mark.parametrize(("name", "n", "missing"), [("requests/s", 7, False), ("p99 ms", 9, True)])
def test_numbers_are_sorted_by_size_and_missing_ones_are_last(
    page: Page, name: str, n: int, missing: bool
) -> None:
    page.locator("#measurements summary").last.click()
    cells = page.locator("#cells")
    for reverse in (False, True):
        cells.get_by_role("button", name=name).click()
        texts = cells.locator(f"tbody tr > :nth-child({n})").all_text_contents()
        known = [float(text.replace(",", "")) for text in texts if text != "–"]
        assert ("–" in texts) == missing
        assert known == sorted(known, reverse=reverse)
        assert "–" not in texts[: len(known)]


@pytest.mark.parametrize("width", [320, PHONE["width"]])
def test_a_phone_needs_no_sideways_scrolling(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": PHONE["height"]})
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) <= 0
    expect(page.locator(".verdicts .plot").first).to_be_hidden()
    for name in ("#verdicts-closed", "#claims"):
        box = page.locator(name).locator("xpath=..")
        assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_a_phone_names_the_text_columns_of_a_verdict(page: Page) -> None:
    page.set_viewport_size(PHONE)
    cells = page.locator(".verdicts td.p99:not(:empty)")
    before = "one => getComputedStyle(one, '::before').content"
    assert "p99 ms, sync / async" in cells.first.evaluate(before)


def test_a_desktop_shows_headline_badges_and_verdicts_first(page: Page) -> None:
    page.set_viewport_size(DESKTOP)
    for name in (".headline", ".badges", ".verdicts"):
        expect(page.locator(name).first).to_be_in_viewport(ratio=1)
    expect(page.locator(".verdicts .plot svg").first).to_be_visible()


def test_text_of_charts_is_large_enough_on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.evaluate(OPEN_ALL)
    heights = page.locator(".chart text").evaluate_all(
        """all => all.map(one => {
            const { c, d } = one.getScreenCTM();
            return Math.hypot(c, d) * parseFloat(getComputedStyle(one).fontSize);
        })"""
    )
    assert min(heights) >= 9


def test_the_dark_scheme_is_for_screens_only(page: Page) -> None:
    shown = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        shown[scheme] = (page.evaluate(BACKGROUND), page.evaluate(TEXT))
    assert all(a != b for a, b in zip(shown["light"], shown["dark"], strict=True))
    page.emulate_media(color_scheme="dark", media="print")
    assert (page.evaluate(BACKGROUND), page.evaluate(TEXT)) == shown["light"]


def test_paper_shows_closed_details(page: Page) -> None:
    figures = table(page)
    expect(figures).to_be_hidden()
    page.emulate_media(media="print")
    expect(figures).to_be_visible()
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator("#method pre")).to_be_hidden()
    page.set_viewport_size(PAPER)
    assert page.evaluate(OVERFLOW) <= 0


def test_a_link_into_closed_details_opens_them(page: Page) -> None:
    page.evaluate("location.hash = '#cell-1'")
    expect(page.locator(":target")).to_be_in_viewport()
    # Newer browsers open details by themselves; for others the script does.
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    expect(page.locator(":target")).to_be_hidden()
    page.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
    expect(page.locator(":target")).to_be_in_viewport()


def test_the_first_tab_stop_skips_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()


def test_text_from_outside_stays_text(page: Page) -> None:
    expect(page).to_have_title("def or async def? run · twinbench")
    expect(page.locator("#self-check-items")).to_contain_text(HOSTILE)
    expect(page.locator("main script, main img")).to_have_count(0)


def test_the_page_is_readable_without_scripts(browser: Browser, address: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(address)
        assert column(page, 1) == ["1", "8"]
        expect(page.locator("thead button")).to_have_count(0)
        page.locator("#measurements summary").last.click()
        expect(page.locator("#cell-1")).to_be_visible()
