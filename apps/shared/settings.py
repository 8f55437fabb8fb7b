"""What can be set from the environment, one table for both apps: a difference here would be a lie.

The defaults are the libraries' own, as somebody gets them who follows the tutorial.
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
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
)

PREFIX = "BLOG_"
# Published, so that the demo's tokens can be made by anybody; refused outside the demo.
DEMO_KEY = SecretStr("demo key, published with its source")
SHORTEST_KEY = 32  # HS256: as many bytes as the hash has


class Settings(BaseSettings):
    """Read from `BLOG_<NAME>`, except where an alias stands."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, hide_input_in_errors=True
    )

    # The demo: users with a published password, tokens signed with a published key.
    # Off, a key of one's own is required, a new database is empty, and in one that was a demo
    # its users and posts stay, but nobody can log in with the published password.
    demo: bool = True
    secret_key: SecretStr = DEMO_KEY  # signs tokens
    token_minutes: int = Field(default=30, ge=1, le=60 * 24 * 365)
    posts_per_page: PositiveInt = Field(default=10, le=100)
    # The largest picture that is taken, and about the largest body of any request.
    upload_bytes: PositiveInt = 5 * 2**20

    # The SQLite file; left out: a file named after the app, in the working directory.
    database: Path | None = None
    # Where pictures are kept; left out: a folder named after the app, likewise.
    media: Path | None = None
    # SQLAlchemy's defaults: 5 connections kept, 10 more on demand, then wait 30 s for one.
    pool_size: PositiveInt = 5
    max_overflow: int = Field(default=10, ge=0)
    pool_timeout_s: PositiveFloat = 30.0
    # How many requests may have a session at once; left out: all (docs/pitfalls.md).
    sessions_at_once: PositiveInt | None = None
    # AnyIO's default number of worker threads for `def` routes.
    thread_tokens: PositiveInt = 40
    # Where the async app runs the CPU-bound workload routes: on the loop, as most people
    # write them, in a thread, or in a process.
    cpu_offload: Literal["none", "thread", "process"] = "none"
    # The external API; `uvicorn apps.upstream.main:app --port 8900` serves it by hand.
    upstream_url: str = Field(
        default="http://127.0.0.1:8900", validation_alias="UPSTREAM_URL"
    )
    # Longer than any wait that a route may ask for (10 s).
    upstream_timeout_s: PositiveFloat = 15.0

    @model_validator(mode="after")
    def _key_is_secret(self) -> Self:
        if not self.demo and self.secret_key == DEMO_KEY:
            raise ValueError("BLOG_SECRET_KEY: outside the demo, set your own")
        if len(self.secret_key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(
                f"BLOG_SECRET_KEY: at least {SHORTEST_KEY} characters"
            )
        return self

    def sqlite_url(self, driver: str, app: str) -> str:
        """SQLAlchemy URL of the database of `app`, through `driver`."""
        return f"{driver}:///{self.database or Path(f'{app}.db')}"

    def media_folder(self, app: str) -> Path:
        """Where the files are kept that `app` serves under /media."""
        return self.media or Path(f"{app}_media")


def _refuse_unknown() -> None:
    """Raise SystemExit for a variable that looks like a setting and is none."""
    fields = Settings.model_fields.items()
    known = [
        str(field.validation_alias or PREFIX + name).upper()
        for name, field in fields
    ]
    # As pydantic-settings reads them: the case does not count.
    for variable in EnvSettingsSource(Settings).env_vars:
        name = variable.upper()
        if name.startswith(PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise SystemExit(f"{name}: there is no such setting{meant}")


def from_environment() -> Settings:
    """The settings; if one is unknown or not valid, the program ends with its name."""
    _refuse_unknown()
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "".join(f"BLOG_{part}: ".upper() for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise SystemExit(name + said) from None


settings = from_environment()
