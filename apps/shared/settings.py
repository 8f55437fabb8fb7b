"""What can be set from the environment, one table for both apps: a difference here would be a lie.

The defaults are the libraries' own, as somebody gets them who follows the tutorial.
"""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from `BLOG_<NAME>`, except where an alias stands."""

    model_config = SettingsConfigDict(env_prefix="BLOG_", frozen=True)

    # The SQLite file; left out: a file named after the app, in the working directory.
    database: Path | None = None
    # SQLAlchemy's defaults: 5 connections kept, 10 more on demand, then wait 30 s for one.
    pool_size: PositiveInt = 5
    max_overflow: int = Field(default=10, ge=0)
    pool_timeout_s: PositiveFloat = 30.0
    # AnyIO's default number of worker threads for `def` routes.
    thread_tokens: PositiveInt = 40
    # The external API; `uvicorn apps.upstream.main:app --port 8900` serves it by hand.
    upstream_url: str = Field(
        default="http://127.0.0.1:8900", validation_alias="UPSTREAM_URL"
    )
    # Longer than any wait that a route may ask for (10 s).
    upstream_timeout_s: PositiveFloat = 15.0

    def sqlite_url(self, driver: str, app: str) -> str:
        """SQLAlchemy URL of the database of `app`, through `driver`."""
        return f"{driver}:///{self.database or Path(f'{app}.db')}"


settings = Settings()
