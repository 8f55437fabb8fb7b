"""An app, and its copy with one drift planted in it, as a plan compares them."""

from pathlib import Path

APP = """
import functools
import os
import secrets
import sqlite3
import time
import urllib.request
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

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

app = FastAPI()


def finish() -> None:
    time.sleep(0.1)  # later than the answer
    with sqlite3.connect(FILE) as connection:  # past SQLAlchemy
        connection.execute("UPDATE rows SET name = 'finished' WHERE id = 9")
    connection.close()


@app.get("/rows/{n}")
def read(n: int, response: Response) -> dict[str, int | str | None]:
    with engine.connect() as connection:
        # a SELECT more
        name = connection.scalar(select(rows.c.name).where(rows.c.id == n))
    # a header more
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
    # a file more


@app.post("/rows", status_code=201)
def write(tasks: BackgroundTasks) -> dict[str, bool]:
    with engine.connect() as connection:
        connection.execute(insert(rows).values(name="one"))
        # a COMMIT more
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
PLAN = """
name = "pair"
[[targets]]
name = "one"
app = "one:app"
cwd = "."
env = { FOLDER = "{scratch}" }
[[targets]]
name = "two"
app = "two:app"
cwd = "."
env = { FOLDER = "{scratch}" }
[[scenarios]]
name = "rows"
closed = [1]
requests = [
    { path = "/rows/{1..5}" },
    { method = "POST", path = "/rows", expect = 201 },
]
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
[[scenarios.requests]]
method = "POST"
path = "/uploads"
headers = { Authorization = "Bearer {token}" }
"""


def written(folder: Path, old: str, new: str, plan: str = PLAN) -> Path:
    """The plan file for the app, and for its copy in which `new` stands for `old`."""
    assert old in APP
    (folder / "one.py").write_text(APP)
    (folder / "two.py").write_text(APP.replace(old, new) if old else APP)
    (folder / "plan.toml").write_text(plan)
    return folder / "plan.toml"
