"""The index of runs in a browser: on a phone, sorted and filtered, links in charts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.test_report import OVERFLOW, PHONE
from tests.support import factories
from twinbench.paths import INDEX
from twinbench.report.index import write_index
from twinbench.store import Store

PLANS = ("shop", "shop", "blog")


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """Open an index of three runs; it must log nothing."""
    unexpected: list[str] = []
    for day, plan in enumerate(PLANS):
        store = Store.create(factories.manifest(factories.plan(name=f"p{day}")), tmp_path / "runs")
        started = datetime.fromisoformat(factories.STARTED) + timedelta(days=day)
        scenario = factories.scenario_summary(factories.key_figure("sync", 1000 + day))
        summary = factories.summary(scenario, plan=plan, started=started)
        (store.folder / "summary.json").write_text(summary.model_dump_json())
        (store.folder / "report.html").write_text(f"<title>report of day {day}</title>")
        store.update_latest_link(tmp_path / "latest")
    assert write_index(tmp_path / "runs") == []
    with browser.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: unexpected.append(message.text))
        page.on("pageerror", lambda error: unexpected.append(str(error)))
        page.goto((tmp_path / INDEX).as_uri())
        yield page
    assert unexpected == []


def dates(page: Page) -> list[str]:
    return page.locator("#runs tbody tr:visible th").all_text_contents()


def test_runs_are_sorted_by_date_and_filtered_by_plan(page: Page) -> None:
    newest_first = [f"2026-01-{day} 12:00" for day in (19, 18, 17)]
    assert dates(page) == newest_first
    page.get_by_role("button", name="started").click()
    assert dates(page) == newest_first[::-1]
    page.get_by_label("Plan:").select_option("shop")
    assert dates(page) == newest_first[:0:-1]


def test_a_point_of_a_trend_leads_to_its_report(page: Page) -> None:
    page.locator("#trends svg a path").last.click()
    expect(page).to_have_title("report of day 1")


def test_the_index_fits_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)
    assert page.evaluate(OVERFLOW) <= 0
    expect(page.locator("#trends figure")).to_be_visible()
