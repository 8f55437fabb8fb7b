"""Options of the HTTP client for the upstream API: one pooled client per app."""

from typing import TypedDict

from apps.shared.settings import settings


class ClientOptions(TypedDict):
    """Keyword arguments of `httpx2.Client` and `httpx2.AsyncClient`."""

    base_url: str
    timeout: float
    trust_env: bool


CLIENT_OPTIONS = ClientOptions(
    base_url=settings.upstream_url,
    timeout=settings.upstream_timeout_s,
    # No proxy from the environment between the app and its upstream.
    trust_env=False,
)
