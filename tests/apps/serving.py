"""Both apps in process, on fresh data."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine

from apps.shared.security import DEMO_PASSWORD, create_token
from tests.apps.conftest import DATABASE, MEDIA

from apps.async_app import database as async_database
from apps.async_app import main as async_main
from apps.sync_app import database as sync_database
from apps.sync_app import main as sync_main

PICTURES = MEDIA / "profile_pics"


class Twin(NamedTuple):
    app: FastAPI
    engine: Engine
    database: ModuleType


TWINS = {
    "sync": Twin(sync_main.app, sync_database.engine, sync_database),
    "async": Twin(async_main.app, async_database.engine.sync_engine, async_database),
}


def routes(app: FastAPI | APIRouter) -> Iterator[APIRoute]:
    """Every route of `app` that is ours, of the routers that it includes too."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield route
        elif router := getattr(route, "original_router", None):
            yield from routes(router)


def clear_data() -> None:
    """Remove the tests' database and pictures."""
    for path in DATABASE.parent.iterdir():
        path.unlink()
    shutil.rmtree(MEDIA, ignore_errors=True)


@contextmanager
def serving(name: str, *, fresh: bool = True) -> Iterator[TestClient]:
    """The app `name`, on fresh data or on what is there."""
    if fresh:
        clear_data()
    with TestClient(TWINS[name].app, raise_server_exceptions=False) as client:
        yield client


def logged_in(user_id: int) -> dict[str, str]:
    """Headers of a request by the demo user `user_id`."""
    return {"Authorization": f"Bearer {create_token(user_id)}"}


def credentials(user: str = "user1") -> dict[str, str]:
    return {"username": f"{user}@example.com", "password": DEMO_PASSWORD}


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


def kept_pictures() -> list[str]:
    """The names of the picture files that are there, without the demo's own."""
    return sorted(path.name for path in PICTURES.iterdir() if not path.name.startswith("user"))


PATH = "/api/users/1/picture"
ME = logged_in(1)


def upload(client: TestClient, content: bytes, name: str = "me.png") -> Any:
    return client.patch(PATH, files={"file": (name, content)}, headers=ME)


def image_file(client: TestClient) -> str | None:
    found: str | None = client.get("/api/users/1").json()["image_file"]
    return found
