"""App, and its copy with one drift planted in it, as a plan compares them."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.factories import UPSTREAM

APP = """
import asyncio
import functools
import os
import secrets
import socket
import sqlite3
import threading
import time
import urllib.request
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from fastapi import BackgroundTasks, FastAPI, Header, HTTPException, Response
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert, select

FILE = Path(os.environ["FOLDER"]) / "own.db"
engine = create_engine(f"sqlite:///{FILE}")
metadata = MetaData()
rows = Table(
    "rows", metadata, Column("id", Integer, primary_key=True), Column("name", String)
)
metadata.create_all(engine)
with engine.begin() as connection:
    connection.execute(insert(rows), [{"name": "row {n}"} for n in range(1, 10)])
KEPT: dict[int, str] = {}
COUNT: Counter[int] = Counter()
TOKEN = secrets.token_urlsafe(24)
LOOPS: list[asyncio.AbstractEventLoop] = []


@asynccontextmanager
async def lifespan(_):
    LOOPS.append(asyncio.get_running_loop())
    # at startup
    yield


app = FastAPI(lifespan=lifespan)


def finish() -> None:
    time.sleep(0.1)  # later than the answer
    with sqlite3.connect(FILE) as connection:  # bypasses SQLAlchemy
        connection.execute("UPDATE rows SET name = 'finished' WHERE id = 9")
    connection.close()


@app.get("/rows/{n}")
def read(n: int, response: Response) -> dict[str, int | str | None]:
    with engine.connect() as connection:
        # one more SELECT
        name = connection.scalar(select(rows.c.name).where(rows.c.id == n))
    # one more header
    return {"id": n, "name": name}


@app.get("/words")
def words() -> list[str]:
    return list({"sets", "of", "text", "have", "an", "order", "of", "their", "own"})


@app.get("/fetch")
def fetch() -> int:
    with urllib.request.urlopen(os.environ["UPSTREAM_URL"] + "/delay?ms=1") as answer:
        return answer.status


@app.post("/files")
def save(body: dict[str, str]) -> None:
    name = secrets.token_hex(8)
    (FILE.parent / f"{name}.bin").write_bytes(b"\\xff" + body["text"].encode())
    # one more file


@app.post("/rows", status_code=201)
def write(tasks: BackgroundTasks) -> dict[str, bool]:
    with engine.connect() as connection:
        connection.execute(insert(rows).values(name="one"))
        # one more COMMIT
        connection.execute(insert(rows).values(name="two"))
        connection.commit()
    tasks.add_task(finish)
    return {"done": True}


@app.get("/token")
def token() -> dict[str, str]:
    return {"token": TOKEN}


@app.post("/uploads")
def upload(authorization: str = Header()) -> dict[str, str]:
    if authorization != f"Bearer {TOKEN}":
        raise HTTPException(401)
    name = secrets.token_hex(8)
    with engine.begin() as connection:
        connection.execute(insert(rows).values(name=name))
    return {"file": name + ".jpg", "at": datetime.now(UTC).isoformat(timespec="seconds")}
"""
PLAN = f"""
name = "pair"

[[services]]
name = "upstream"
app = "{UPSTREAM["app"]}"
cwd = "{UPSTREAM["cwd"]}"

[[targets]]
name = "one"
cwd = "."
env = {{ FOLDER = "{{scratch}}", UPSTREAM_URL = "{{services.upstream.url}}" }}
app = "one:app"

[[targets]]
name = "two"
cwd = "."
env = {{ FOLDER = "{{scratch}}", UPSTREAM_URL = "{{services.upstream.url}}" }}
app = "two:app"

[[scenarios]]
name = "rows"
closed = [1]
requests = [{{ path = "/rows/{{1..5}}" }}, {{ method = "POST", path = "/rows", expect = 201 }}]
"""
OTHERS = """
[[scenarios]]
name = "others"
closed = [1]
requests = [
    { path = "/words" },
    { path = "/fetch" },
    { method = "POST", path = "/files", body = { text = "t" } },
]
"""
CHANGING = """
[[scenarios]]
name = "uploads"
closed = [1]
setup = [{ path = "/token", capture = { token = "token" } }]
requests = [
    { method = "POST", path = "/uploads", headers = { Authorization = "Bearer {token}" } },
]
"""


def write_pair(
    folder: Path,
    old: str = "",
    new: str = "",
    plan: str = PLAN,
    targets: Sequence[str] = ("two",),
) -> Path:
    """Write a plan with two apps, in which `new` replaces `old` in `targets`; return its path."""
    assert old in APP
    for name in ("one", "two"):
        planted = APP.replace(old, new) if old and name in targets else APP
        (folder / f"{name}.py").write_text(planted)
    (folder / "plan.toml").write_text(plan)
    return folder / "plan.toml"
