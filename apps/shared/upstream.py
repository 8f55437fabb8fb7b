"""How both apps talk to the external API: one pooled client an app, set up alike."""

from typing import TypedDict

from httpx2 import Limits

from apps.shared.settings import settings


class ClientOptions(TypedDict):
    base_url: str
    timeout: float
    limits: Limits
    trust_env: bool


CLIENT_OPTIONS = ClientOptions(
    base_url=settings.upstream_url,
    timeout=settings.upstream_timeout_s,
    # The library's own limit of 100 connections, but all of them kept: by default it keeps 20
    # and opens the others anew for each call. Without a limit each call costs more the more
    # idle connections there are, because the pool looks at every one of them.
    limits=Limits(max_connections=100, max_keepalive_connections=100),
    # Proxies set in the environment are not meant for this.
    trust_env=False,
)
