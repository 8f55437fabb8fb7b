"""Debian's chromium, a server for each app, and pages that record all errors."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.support.processes import MARK, none_left
from twinbench.measure.server import Server
from twinbench.plan import Target

# The sandbox does not work as root, as in most containers. No page needs a GPU.
ARGS = ["--no-sandbox", "--disable-gpu"]
READY_S = 120.0
# Playwright's default of `expect` is 5 s, too short on a busy machine.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
PASSWORD = "correct horse"  # noqa: S105 - of users of one test

numbers = count(1)


class Person(NamedTuple):
    """A registered user with its token."""

    id: int
    name: str
    email: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Visit:
    """One page that records its errors for `check`."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.rejected: list[int] = []  # statuses of 400 and more
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        self.page.on("request", self._on_request)
        self.page.on("response", self._on_response)

    def register(self) -> Person:
        """Register a new user by the API."""
        name = f"person{next(numbers)}"
        email = f"{name}@example.com"
        new = {"username": name, "email": email, "password": PASSWORD}
        user = self.api("POST", "/api/users", data=new)
        form = {"username": email, "password": PASSWORD}
        token = self.api("POST", "/api/users/token", form=form)["access_token"]
        return Person(user["id"], name, email, token)

    def api(self, method: str, path: str, **options: Any) -> Any:
        response = self.context.request.fetch(path, method=method, **options)
        assert response.ok, (method, path, response.status)
        return response.json() if response.body() else None

    def write(self, author: Person, title: str, content: str) -> int:
        """Create a post by the API and return its id."""
        post = {"title": title, "content": content}
        new: int = self.api("POST", "/api/posts", headers=author.headers, data=post)["id"]
        return new

    def enter_as(self, person: Person, token: str | None = None) -> None:
        """Store a session without the login form."""
        session = {"token": token or person.token, "userId": person.id}
        self.page.goto("/static/icon.svg")  # same origin, no scripts
        self.page.evaluate("s => localStorage.setItem('session', JSON.stringify(s))", session)

    def check(self, *rejected: int) -> None:
        """Assert that there were no errors and only these rejected requests."""
        assert self.errors == []
        assert Counter(self.rejected) == Counter(rejected)

    def _on_console(self, message: ConsoleMessage) -> None:
        # The browser also logs rejected requests, which `rejected` contains.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.errors.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.errors.append(f"request to another host: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.rejected.append(response.status)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Of this package only, because an event loop runs in this thread while it is open.
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium, args=ARGS, timeout=2 * PATIENCE_MS
        )
        yield found
        found.close()


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """Open a page that is one file; it must load nothing and log nothing."""
    unexpected: list[str] = []
    with browser.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: unexpected.append(message.text))
        page.on("pageerror", lambda error: unexpected.append(str(error)))
        page.on("request", lambda request: unexpected.append(request.url))
        page.goto(address)
        yield page
    assert [one for one in unexpected if one != address and not one.startswith("data:")] == []


@pytest.fixture(scope="package", params=["sync", pytest.param("async", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    mark = f"browser-{request.param}-{os.getpid()}"
    app = f"apps.{request.param}_app.main:app"
    server = Server(Target(name=request.param, app=app, env={MARK: mark}))
    try:
        yield server.wait_until_ready(READY_S)
    finally:
        server.stop()
    assert none_left(mark)


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    with browser.new_context(base_url=server.url) as context:
        context.set_default_timeout(PATIENCE_MS)
        yield Visit(context, server.url)
