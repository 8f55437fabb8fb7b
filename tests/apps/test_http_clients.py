"""The HTTP clients of `fetch`: each sends the same request, and its errors are those of httpx2."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from httpx2 import AsyncClient, Client, HTTPError

from apps.shared import upstream
from twinbench.paths import ROOT

CLIENTS: dict[str, Any] = {
    "Client": Client,
    "AsyncClient": AsyncClient,
    "requests": upstream.requests_client,
    "aiohttp": upstream.aiohttp_client,
}
NO_SERVER = "http://127.0.0.1:9"


class Upstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.connections: set[object] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections alive
    server: Upstream

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.requestline, headers))
        self.server.connections.add(self.client_address)
        self.send_response(307 if self.path.startswith("/moved") else 200)
        self.send_header("location", "/delay")
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"done\n")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Upstream]:
    with Upstream() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def statuses(name: str, url: str, *paths: str) -> list[int]:
    """Request the paths one after the other."""
    options = upstream.CLIENT_OPTIONS | {"base_url": url}

    async def awaited() -> list[int]:
        async with CLIENTS[name](**options) as client:
            return [(await client.get(path, params={"ms": 1.5})).status_code for path in paths]

    if name in ("AsyncClient", "aiohttp"):
        return asyncio.run(awaited())
    with CLIENTS[name](**options) as client:
        return [client.get(path, params={"ms": 1.5}).status_code for path in paths]


def test_request_of_every_client_is_the_same(server: Upstream) -> None:
    for name in CLIENTS:
        assert statuses(name, server.url, "/delay") == [200]
    [first, *others] = server.requests
    assert first[0] == "GET /delay?ms=1.5 HTTP/1.1"
    assert first[1].keys() == {"host", *(header.lower() for header in upstream.HEADERS)}
    assert others == [first] * (len(CLIENTS) - 1)


@pytest.mark.parametrize("name", CLIENTS)
def test_connection_is_kept_and_no_redirect_followed(name: str, server: Upstream) -> None:
    assert statuses(name, server.url, "/delay", "/moved", "/delay") == [200, 307, 200]
    assert len(server.connections) == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_error_is_that_of_httpx2(name: str) -> None:
    with pytest.raises(HTTPError):
        statuses(name, NO_SERVER, "/delay")


@pytest.mark.parametrize(("app", "other"), [("sync", "aiohttp"), ("async", "requests")])
def test_client_of_the_other_app_is_refused(app: str, other: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import apps.{app}_app.main"],
        cwd=ROOT,
        env=os.environ | {"BLOG_HTTP_CLIENT": other},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"BLOG_HTTP_CLIENT: this app cannot use {other}; write httpx2 or ")
