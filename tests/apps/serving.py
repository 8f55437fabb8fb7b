"""Both apps in process, and the requests that many tests send."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

from apps.shared import dialects
from apps.shared.security import DEMO_PASSWORD, create_token
from apps.shared.settings import settings
from tests.apps.conftest import BLOG, DATABASE, MEDIA
from twinbench.measure.postgres import Databases
from twinbench.plan import Target

from apps.async_app import database as async_database
from apps.async_app import main as async_main
from apps.sync_app import database as sync_database
from apps.sync_app import main as sync_main

PICTURES = MEDIA / "profile_pics"


class App(NamedTuple):
    app: FastAPI
    engine: Engine
    database: ModuleType


APPS = {
    "sync": App(sync_main.app, sync_database.engine, sync_database),
    "async": App(async_main.app, async_database.engine.sync_engine, async_database),
}


def routes(app: FastAPI | APIRouter) -> Iterator[APIRoute]:
    """Yield every API route and page of `app` and of the routers that it includes."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield route
        elif router := getattr(route, "original_router", None):
            yield from routes(router)


def clear_data() -> None:
    for path in DATABASE.parent.iterdir():
        path.unlink()
    shutil.rmtree(MEDIA, ignore_errors=True)
    if postgres_url():
        execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def postgres_url() -> str | None:
    """Return the URL of the database within `on_postgres`."""
    url: str | None = vars(dialects)["settings"].database_url
    return url


@contextmanager
def outside() -> Iterator[Connection]:
    """Open a connection of its own to the database in use, and commit at the end."""
    url = postgres_url() or f"sqlite:///{DATABASE}"
    engine = create_engine(url.replace("asyncpg", "psycopg"), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def execute(*statements: str) -> None:
    with outside() as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def on_postgres(databases: Databases, name: str, driver: str) -> Iterator[Target]:
    """Give the app `name` a new database of PostgreSQL in place of its SQLite file."""
    target = databases.with_database(BLOG)
    url = target.env["URL"].replace("://", f"+{driver}://")
    database, made = APPS[name].database, (create_engine, create_async_engine)[name == "async"]
    engine: Any = made(url)
    event.listen(getattr(engine, "sync_engine", engine), "connect", dialects.prepare_connection)
    changed = settings.model_copy(update={"database_url": url})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialects, "settings", changed)
        patch.setattr(database, "engine", engine)
        patch.setitem(database.new_session.kw, "bind", engine)
        own = APPS[name]._replace(engine=getattr(engine, "sync_engine", engine))
        patch.setitem(APPS, name, own)
        yield target


@contextmanager
def serving(name: str, *, fresh: bool = True) -> Iterator[TestClient]:
    """Start the app `name`, on fresh data or on the existing data."""
    if fresh:
        clear_data()
    with TestClient(APPS[name].app, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def recorded(engine: Engine) -> Iterator[tuple[list[tuple[str, Any]], list[None]]]:
    """Record statements with their parameters, and commits."""
    statements: list[tuple[str, Any]] = []
    commits: list[None] = []

    def on_execute(_c: Any, _k: Any, sql: str, parameters: Any, *_: Any) -> None:
        statements.append((sql, parameters))

    def on_commit(_c: Any) -> None:
        commits.append(None)

    event.listen(engine, "before_cursor_execute", on_execute)
    event.listen(engine, "commit", on_commit)
    try:
        yield statements, commits
    finally:
        event.remove(engine, "before_cursor_execute", on_execute)
        event.remove(engine, "commit", on_commit)


def auth_headers(user_id: int) -> dict[str, str]:
    """Return the Authorization header of the user `user_id`."""
    return {"Authorization": f"Bearer {create_token(user_id)}"}


def credentials(user: str = "user1") -> dict[str, str]:
    return {"username": f"{user}@example.com", "password": DEMO_PASSWORD}


def picture(
    kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **options)
    return out.getvalue()


def uploaded_files() -> list[str]:
    """Return the names of the picture files, without those of the demo."""
    return sorted(path.name for path in PICTURES.iterdir() if not path.name.startswith("user"))


PATH = "/api/users/1/picture"
ME = auth_headers(1)


def upload(client: TestClient, content: bytes, name: str = "me.png") -> Any:
    return client.patch(PATH, files={"file": (name, content)}, headers=ME)


def image_file(client: TestClient) -> str | None:
    found: str | None = client.get("/api/users/1").json()["image_file"]
    return found
