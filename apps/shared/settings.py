"""Settings from environment variables, shared so that both apps have the same defaults.

The defaults are those of the libraries, as in an app that follows the tutorial.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
)

PREFIX = "BLOG_"
# Public, so anybody can sign tokens of the demo; refused outside the demo.
DEMO_KEY = SecretStr("demo key, published with its source")
ASYNC_ONLY = "postgresql+asyncpg"  # a driver without a blocking interface
# By scheme of a URL; psycopg 3 serves both apps.
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    ASYNC_ONLY: ASYNC_ONLY,
}
MIN_KEY_LENGTH = 32  # HS256: the length of the hash in bytes


class Settings(BaseSettings):
    """Settings, each read from `BLOG_<NAME>` unless it has an alias."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, hide_input_in_errors=True
    )

    # The demo has users with a public password, and signs tokens with a public key.
    # Without it a secret key is required and a new database is empty. A database that was a demo
    # keeps its users and posts, but nobody can log in with the public password.
    demo: bool = True
    secret_key: SecretStr = DEMO_KEY  # signs tokens
    token_minutes: int = Field(default=30, ge=1, le=60 * 24 * 365)
    posts_per_page: PositiveInt = Field(default=10, le=100)
    # The largest upload, and about the largest body of any request.
    upload_bytes: PositiveInt = 5 * 2**20

    # A PostgreSQL database: postgresql://USER:PASSWORD@HOST/NAME, with psycopg as its driver, or
    # postgresql+asyncpg://... in the async app; by default a SQLite file.
    database_url: str | None = None
    # The SQLite file; by default `<app>.db` in the working directory.
    database: Path | None = None
    # The folder of uploaded pictures; by default `<app>_media` in the working directory.
    media: Path | None = None
    # SQLAlchemy's defaults: 5 connections, 10 more on demand, then a wait of up to 30 s.
    pool_size: PositiveInt = 5
    max_overflow: int = Field(default=10, ge=0)
    pool_timeout_s: PositiveFloat = 30.0
    # Requests that may have a session at the same time; by default no limit (docs/pitfalls.md).
    max_sessions: PositiveInt | None = None
    # AnyIO's limit of worker threads, which run `def` routes.
    worker_threads: PositiveInt = 40
    # Where the async app runs the CPU-bound /workload routes: on the event loop, in a thread or
    # in a process.
    cpu_offload: Literal["none", "thread", "process"] = "none"
    # The upstream API; start it with `uvicorn apps.upstream.main:app --port 8900`.
    upstream_url: str = Field(
        default="http://127.0.0.1:8900", validation_alias="UPSTREAM_URL"
    )
    # Longer than the longest wait of a route (10 s).
    upstream_timeout_s: PositiveFloat = 15.0

    @model_validator(mode="after")
    def _key_is_secret(self) -> Self:
        if not self.demo and self.secret_key == DEMO_KEY:
            raise ValueError("BLOG_SECRET_KEY: outside the demo, set your own")
        if len(self.secret_key.get_secret_value()) < MIN_KEY_LENGTH:
            raise ValueError(
                f"BLOG_SECRET_KEY: at least {MIN_KEY_LENGTH} characters"
            )
        return self

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str | None) -> str | None:
        if url is None:
            return None
        scheme, colon, rest = url.partition("://")
        if not colon or scheme not in DRIVERS:
            raise ValueError(f"write it as {' or '.join(DRIVERS)}://...")
        return f"{DRIVERS[scheme]}://{rest}"

    def url(self, driver: str, app: str) -> str:
        """Return the SQLAlchemy URL of the database of `app`; `driver` is for a SQLite file."""
        if ASYNC_ONLY in (self.database_url or "") and "aio" not in driver:
            raise SystemExit(
                f"BLOG_DATABASE_URL: {app} cannot await {ASYNC_ONLY}; write postgresql+psycopg://"
            )
        file = self.database or Path(f"{app}.db")
        return self.database_url or f"{driver}:///{file}"

    def media_folder(self, app: str) -> Path:
        """Return the folder that `app` serves under /media."""
        return self.media or Path(f"{app}_media")


def _reject_unknown() -> None:
    """Raise SystemExit for an environment variable with the prefix that is no setting."""
    fields = Settings.model_fields.items()
    known = [
        str(field.validation_alias or PREFIX + name).upper()
        for name, field in fields
    ]
    # As in pydantic-settings, names are not case-sensitive.
    for variable in EnvSettingsSource(Settings).env_vars:
        name = variable.upper()
        if name.startswith(PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise SystemExit(f"{name}: there is no such setting{hint}")


def from_environment() -> Settings:
    """Return the settings; raise SystemExit with the name of an unknown or invalid one."""
    _reject_unknown()
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "".join(f"BLOG_{part}: ".upper() for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise SystemExit(name + reason) from None


settings = from_environment()
