"""How both apps talk to the external API: one pooled client an app, set up alike."""

from typing import TypedDict

from apps.shared.settings import settings


class ClientOptions(TypedDict):
    base_url: str
    timeout: float
    trust_env: bool


CLIENT_OPTIONS = ClientOptions(
    base_url=settings.upstream_url,
    timeout=settings.upstream_timeout_s,
    # Proxies set in the environment are not meant for this.
    trust_env=False,
)
