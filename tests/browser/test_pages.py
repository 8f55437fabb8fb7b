"""Pages: appended posts, escaping, security policy, phones, keyboard, no scripts."""

import re

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.conftest import Visit
from twinbench.measure.server import Server

HOSTILE = (
    "<script>document.title = 'mine'</script><img src=/static/x onerror=\"document.title='mine'\">"
)
# Of the maximal length, and without a place to break.
LONGEST_TITLE = "W" * 100
PHONE: ViewportSize = {"width": 360, "height": 740}
# The width with all hidden elements shown.
FULL_WIDTH = """() => {
    for (const one of document.querySelectorAll("main [hidden], details, dialog")) {
        one.hidden = false;
        one.open = true;
    }
    return document.documentElement.scrollWidth;
}"""


def load_more(page: Page, shown: int) -> Locator:
    """Load more posts and return the articles, `shown` of them."""
    page.get_by_role("button", name="Load more").click()
    articles = page.locator("article")
    expect(articles).to_have_count(shown)
    expect(page.locator(".more [role=status]")).to_have_text(re.compile(f"^{shown} of "))
    return articles


def markup_of(article: Locator) -> str:
    """Return its markup with normalized whitespace and UTC offset."""
    html: str = article.evaluate("one => one.outerHTML")
    return re.sub(r"\s+", " ", html).replace("+00:00", "Z")


def test_loaded_posts_are_not_repeated_and_look_alike(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    page.goto("/")
    # Moves all others down by one: the last post shown is sent again.
    visit.write(author, "Meanwhile", "Somebody writes.")
    load_more(page, 19)
    ids = load_more(page, 29).evaluate_all("all => all.map(one => Number(one.dataset.post))")
    assert ids == sorted(set(ids), reverse=True)

    appended = page.locator("article").nth(12)
    markup, number = markup_of(appended), ids[12]
    appended.locator(".byline a").click()
    assert markup_of(page.locator(f'article[data-post="{number}"]')) == markup
    visit.check()


def test_last_page_hides_the_button(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    page.goto(f"/users/{author.id}/posts")
    expect(page.get_by_text("Nothing has been written yet.")).to_be_visible()
    for n in range(12):
        visit.write(author, f"Post {n}", f"Text {n} " * 40)
    page.reload()
    load_more(page, 12)
    expect(page.get_by_role("button", name="Load more")).to_be_hidden()
    expect(page.get_by_role("link", name="Post 0")).to_be_focused()
    visit.check()


def test_text_of_users_is_never_markup(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    hostile = visit.write(author, HOSTILE[:100], HOSTILE)
    page.goto(f"/posts/{hostile}")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE[:100])
    expect(page.locator(".content")).to_have_text(HOSTILE)
    page.goto(f"/users/{author.id}/posts")
    expect(page.locator("article h2")).to_have_text(HOSTILE[:100])
    expect(page.locator(".excerpt")).to_have_text(HOSTILE)

    for n in range(10):  # moves it to the second page
        visit.write(author, f"Harmless {n}", "Text.")
    page.reload()
    appended = load_more(page, 11).last
    expect(appended.locator("h2")).to_have_text(HOSTILE[:100])
    expect(appended.locator(".excerpt")).to_have_text(HOSTILE)
    expect(page.locator("main script, main img:not(.face)")).to_have_count(0)
    expect(page).to_have_title(f"Posts by {author.name}")
    visit.check()


def test_every_page_fits_a_phone_and_keeps_the_policy(visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size(PHONE)
    author = visit.register()
    name = "W" * 50
    visit.api("PATCH", f"/api/users/{author.id}", headers=author.headers, data={"username": name})
    post = visit.write(author, LONGEST_TITLE, LONGEST_TITLE * 5)
    both = ["/", f"/posts/{post}", f"/users/{author.id}/posts", "/nowhere"]
    too_wide = []
    for person, paths in ((None, [*both, "/login", "/register"]), (author, [*both, "/account"])):
        if person:
            visit.enter_as(person)
        for path in paths:
            page.goto(path)
            expect(page.locator("h1:visible")).to_have_count(1)
            width = page.evaluate(FULL_WIDTH)
            if width > PHONE["width"]:
                too_wide.append((path, width))
    assert too_wide == []
    visit.api("DELETE", f"/api/users/{author.id}", headers=author.headers)
    visit.check(404, 404)


def test_violation_of_the_policy_is_recorded(visit: Visit) -> None:
    page = visit.page
    page.goto("/login")
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.evaluate(
        """document.body.append(Object.assign(
            document.createElement("script"), {textContent: "document.title = 'mine'"}))"""
    )
    expect(page).to_have_title("Log in")
    assert ["Content Security Policy" in one for one in visit.errors] == [True, True]


def test_pages_can_be_used_by_keyboard(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    post = visit.write(author, "By hand", "Without a mouse.")
    visit.enter_as(author)
    page.goto(f"/posts/{post}")
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    for _ in range(2):  # skips the link of the author
        keys.press("Tab")
    expect(page.get_by_role("button", name="Edit")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()
    keys.type("!")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("By hand!")
    expect(page.get_by_role("button", name="Edit")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    visit.check()


def test_pages_can_be_read_without_scripts(browser: Browser, server: Server) -> None:
    with browser.new_context(base_url=server.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/")
        expect(page.locator("article")).to_have_count(10)
        expect(page.locator("button:visible, form:visible")).to_have_count(0)
        page.locator("article h2 a").first.click()
        expect(page.locator(".content")).not_to_be_empty()
        page.goto("/login")
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        expect(page.locator("form")).to_be_hidden()
