"""Debian's chromium, a server for each app, and pages on which nothing may go wrong unnoticed."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
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

# Root, as in most containers, cannot have the sandbox; no picture here needs a GPU.
ARGS = ["--no-sandbox", "--disable-gpu"]
READY_S = 120.0
# Until what is waited for counts as missing; for `expect` playwright has 5 s of its own.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
PASSWORD = "correct horse"  # noqa: S105 - of people who live for one test

numbers = count(1)


class Person(NamedTuple):
    """A registered user, and the token that the API gave."""

    id: int
    name: str
    email: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Visit:
    """One page, and what goes wrong on it, kept for `check`."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.page: Page = context.new_page()
        self.wrong: list[str] = []
        self.refused: list[int] = []  # the statuses of 400 and more that came
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        self.page.on("request", self._on_request)
        self.page.on("response", self._on_response)

    def register(self) -> Person:
        """Somebody new, by way of the API."""
        name = f"person{next(numbers)}"
        email = f"{name}@example.com"
        new = {"username": name, "email": email, "password": PASSWORD}
        user = self.api("POST", "/api/users", data=new)
        form = {"username": email, "password": PASSWORD}
        token = self.api("POST", "/api/users/token", form=form)["access_token"]
        return Person(user["id"], name, email, token)

    def api(self, method: str, path: str, **options: Any) -> Any:
        answer = self.context.request.fetch(path, method=method, **options)
        assert answer.ok, (method, path, answer.status)
        return answer.json() if answer.body() else None

    def write(self, author: Person, title: str, content: str) -> int:
        """Somebody's new post, by way of the API; its id."""
        post = {"title": title, "content": content}
        new: int = self.api("POST", "/api/posts", headers=author.headers, data=post)["id"]
        return new

    def enter_as(self, person: Person, token: str | None = None) -> None:
        """Be logged in without having gone through the form; with another token if given."""
        session = {"token": token or person.token, "userId": person.id}
        self.page.goto("/static/icon.svg")  # of the same origin, without scripts of its own
        self.page.evaluate("s => localStorage.setItem('session', JSON.stringify(s))", session)

    def check(self, *refused: int) -> None:
        """Nothing went wrong, and only the expected requests were refused."""
        assert self.wrong == []
        assert Counter(self.refused) == Counter(refused)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A refused request is logged by the browser; `refused` has it.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.wrong.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"request to another host: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(response.status)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # For this folder only: while it is open, an event loop runs in this thread.
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium, args=ARGS, timeout=2 * PATIENCE_MS
        )
        yield found
        found.close()


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
