"""HTTP clients for the upstream API: one pooled client per app, chosen by `BLOG_HTTP_CLIENT`.

httpx2 has a client for either app. requests (on urllib3) only blocks, aiohttp can only be awaited:
a layer gives both what the routes use of httpx2, `get()`, `status_code` and `HTTPError`. All send
the same request, and have the same limits as far as they can (docs/decisions/0003).
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple, TypedDict, Unpack

from httpx2 import HTTPError, Limits

from apps.shared.settings import settings

MAX_CONNECTIONS = 100  # the default of httpx2 and aiohttp
KEPT_S = 5.0  # an idle connection is closed; the default of httpx2
# What httpx2 sends by itself, where no package for other encodings is installed.
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "User-Agent": "blog",
}


class ClientOptions(TypedDict):
    """Keyword arguments of all clients, which are those of httpx2."""

    base_url: str
    headers: dict[str, str]
    timeout: float
    limits: Limits
    trust_env: bool


CLIENT_OPTIONS = ClientOptions(
    base_url=settings.upstream_url,
    headers=HEADERS,
    timeout=settings.upstream_timeout_s,
    limits=Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=settings.http_kept_connections,
        keepalive_expiry=KEPT_S,
    ),
    # No proxy from the environment between the app and its upstream.
    trust_env=False,
)


class Answer(NamedTuple):
    """What the routes read of a response."""

    status_code: int


class Upstream(NamedTuple):
    """Client with the one method that the routes use."""

    get: Callable[..., Any]


@contextmanager
def requests_client(**options: Unpack[ClientOptions]) -> Iterator[Upstream]:
    """Yield a client of requests, and close it at the end."""
    # Imported where it is chosen: other servers need neither its time nor its memory.
    from requests import RequestException, Session
    from requests.adapters import HTTPAdapter

    def get(path: str, params: dict[str, float]) -> Answer:
        try:
            answer = session.get(
                options["base_url"] + path,
                params=params,
                timeout=options["timeout"],
                allow_redirects=False,
            )
        except RequestException as error:
            raise HTTPError(str(error)) from error
        return Answer(answer.status_code)

    kept = options["limits"].max_keepalive_connections or MAX_CONNECTIONS
    with Session() as session:
        session.trust_env = options["trust_env"]
        session.headers.update(options["headers"])
        # It has no limit of open connections: each worker thread opens one at most.
        session.mount("http://", HTTPAdapter(pool_maxsize=kept))
        yield Upstream(get)


@asynccontextmanager
async def aiohttp_client(
    **options: Unpack[ClientOptions],
) -> AsyncIterator[Upstream]:
    """Yield a client of aiohttp, and close it at the end."""
    from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

    async def get(path: str, params: dict[str, float]) -> Answer:
        try:
            async with session.get(
                path, params=params, allow_redirects=False
            ) as answer:
                await answer.read()
        except (ClientError, TimeoutError) as error:
            raise HTTPError(str(error)) from error
        return Answer(answer.status)

    limit_s = options["timeout"]
    async with ClientSession(
        options["base_url"],
        headers=options["headers"],
        # It keeps alive all connections that it has opened.
        connector=TCPConnector(
            limit=MAX_CONNECTIONS, keepalive_timeout=KEPT_S
        ),
        timeout=ClientTimeout(total=None, connect=limit_s, sock_read=limit_s),
        trust_env=options["trust_env"],
    ) as session:
        yield Upstream(get)


def choose_client(clients: Mapping[str, object]) -> Any:
    """Return the client of the settings; raise SystemExit if `clients`, by name, lacks it."""
    if settings.http_client not in clients:
        raise SystemExit(
            f"BLOG_HTTP_CLIENT: this app cannot use {settings.http_client};"
            f" write {' or '.join(clients)}"
        )
    return clients[settings.http_client]
