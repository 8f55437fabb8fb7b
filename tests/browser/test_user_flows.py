"""Register, log in, write, change, upload, delete, log out, one flow for each page."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import PASSWORD, Visit

POST = re.compile(r"/posts/\d+$")
WRONG = "wrong horse"
LOGIN = re.compile("/login$")
ENDED = "Your session has ended. Please log in again."
FEED = re.compile(r"^http://[^/]+/$")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def fill(form: Page | Locator, **values: str) -> None:
    for label, value in values.items():
        form.get_by_label(label, exact=True).fill(value)


def expect_logged_in(page: Page, yes: bool) -> None:
    nav = page.get_by_role("navigation")
    shown, not_shown = ("Account", "Log in") if yes else ("Log in", "Account")
    expect(nav.get_by_role("link", name=shown)).to_be_visible()
    expect(nav.get_by_role("link", name=not_shown)).to_be_hidden()


def natural_width(picture: Locator) -> int:
    width: int = picture.evaluate("async image => (await image.decode(), image.naturalWidth)")
    return width


def drawing() -> FilePayload:
    """Return a picture that is not square."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((640, 400)).save(out, "PNG")
    return {"name": "drawing.png", "mimeType": "image/png", "buffer": out.getvalue()}


def test_register_log_out_and_log_in(visit: Visit) -> None:
    page = visit.page
    page.goto("/register")
    expect_logged_in(page, False)
    fill(page, Name="user1", Email="nobody@nowhere", Password=PASSWORD)
    press(page, "Register")
    message = page.locator("form [role=status]")
    expect(message).to_contain_text("Email: value is not a valid email address")
    expect(page.get_by_label("Email")).to_be_focused()
    expect(page.get_by_label("Email")).to_have_attribute("aria-invalid", "true")
    fill(page, Email="grace@example.com")
    press(page, "Register")
    expect(message).to_have_text("Username already exists")
    expect(page.get_by_label("Email")).not_to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name")).to_have_value("user1")
    fill(page, Name="Grace")
    press(page, "Register")
    expect(page).to_have_url(FEED)
    expect_logged_in(page, True)
    press(page, "Log out")
    expect_logged_in(page, False)

    page.goto("/login")
    fill(page, Email="grace@example.com", Password=WRONG)
    press(page, "Log in")
    expect(page.get_by_text("Incorrect email or password")).to_be_visible()
    expect_logged_in(page, False)
    fill(page, Password=PASSWORD)
    press(page, "Log in")
    expect(page).to_have_url(FEED)
    expect_logged_in(page, True)
    page.goto("/posts/1")  # of somebody else, so it cannot be edited
    expect(page.locator("button:visible")).to_have_text(["Log out"])
    visit.check(422, 400, 401)


@pytest.mark.smoke
def test_write_edit_and_delete_a_post(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    visit.enter_as(author)
    page.goto("/")
    page.get_by_text("Write a post").click()
    fill(page, Title="  First words ", Text="One line,\n\nand another.")
    press(page, "Publish")
    expect(page).to_have_url(POST)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_js_property("textContent", "First words")
    expect(page.locator(".content")).to_have_js_property("textContent", "One line,\n\nand another.")
    address = page.url
    press(page, "Edit")
    expect(page.get_by_label("Title")).to_be_focused()
    expect(page.get_by_label("Text")).to_have_value("One line,\n\nand another.")
    fill(page, Title="Second thoughts")
    press(page, "Save")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(heading).to_have_text("Second thoughts")
    page.goto("/")
    expect(page.locator("article").first).to_contain_text("Second thoughts")

    page.goto(address)
    press(page, "Delete")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    press(page, "Delete")
    press(page, "Delete the post")
    expect(page).to_have_url(FEED)
    expect(page.get_by_text("Second thoughts")).to_have_count(0)
    page.goto(address)
    expect(heading).to_have_text("Post not found")
    visit.check(404)


def test_preview_upload_and_remove_a_picture(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    post = visit.write(author, "With a face", "And some text.")
    visit.enter_as(author)
    page.goto("/account")
    page.get_by_label("New picture").set_input_files(drawing())
    expect(page.get_by_label("How the chosen picture will look")).to_be_visible()
    press(page, "Upload")
    expect(page.get_by_text("This is your picture now.")).to_be_visible()
    picture = page.get_by_alt_text("Your picture now")
    expect(picture).to_be_visible()
    expect(picture).to_have_attribute("src", re.compile(r"^/media/profile_pics/\w+\.jpg$"))
    assert natural_width(picture) == 300
    page.goto(f"/posts/{post}")
    assert natural_width(page.locator(".author img")) == 300

    page.goto("/account")
    text: FilePayload = {"name": "text.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.get_by_label("New picture").set_input_files(text)
    press(page, "Upload")
    expect(page.get_by_text("The file is not a picture that can be read")).to_be_visible()
    press(page, "Remove the picture")
    expect(page.get_by_text("The picture is removed.")).to_be_visible()
    expect(picture).to_have_attribute("src", "/static/default.svg")
    visit.check(400)


def test_change_the_name_then_delete_the_account(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    post = visit.write(author, "Soon gone", "With its author.")
    visit.enter_as(author)
    page.goto("/account")
    fill(page, Name="user1")
    press(page, "Save")
    expect(page.get_by_text("Username already exists")).to_be_visible()
    fill(page, Name=f"{author.name} the Second")
    press(page, "Save")
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("link", name="Your posts").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Posts by {author.name} the Second")

    page.goto("/account")
    press(page, "Delete the account")
    press(page, "Keep it")
    expect(page.get_by_role("dialog")).to_be_hidden()
    press(page, "Delete the account")
    press(page, "Delete everything")
    expect(page).to_have_url(FEED)
    expect_logged_in(page, False)
    page.goto(f"/posts/{post}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Post not found")
    visit.check(400, 404)


def test_ended_session_redirects_to_the_login(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    visit.api("DELETE", f"/api/users/{author.id}", headers=author.headers)
    visit.enter_as(author)
    page.goto("/account")
    expect(page).to_have_url(LOGIN)
    expect(page.get_by_text(ENDED)).to_be_visible()
    expect_logged_in(page, False)
    page.goto("/account")  # as a guest
    expect(page).to_have_url(LOGIN)
    expect(page.get_by_text("Please log in to see your account.")).to_be_visible()
    visit.check(401)


def test_draft_is_kept_when_the_session_ends(visit: Visit) -> None:
    page = visit.page
    author = visit.register()
    visit.enter_as(author, "garbage")
    page.goto("/")
    page.get_by_text("Write a post").click()
    fill(page, Title="An hour's work", Text="It would be a pity.")
    press(page, "Publish")
    expect(page).to_have_url(LOGIN)
    expect(page.get_by_text(ENDED)).to_be_visible()
    fill(page, Email=author.email, Password=PASSWORD)
    press(page, "Log in")
    expect(page.get_by_label("Title")).to_have_value("An hour's work")
    press(page, "Publish")
    expect(page.locator(".content")).to_have_text("It would be a pity.")
    visit.check(401)
