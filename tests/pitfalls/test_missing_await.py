"""Pitfall 4: without `await` the response is a success, but nothing is saved."""

import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.pitfalls.blog import Post, SessionDep, outside
from tests.pitfalls.page import quoted

app = FastAPI()


@app.post("/posts")
async def create_post(session: SessionDep, title: str) -> dict[str, str]:
    session.add(Post(title=title, user_id=1))
    session.commit()  # type: ignore[unused-coroutine]
    return {"status": "saved"}


@app.post("/fixed")
async def create_post_and_wait(session: SessionDep, title: str) -> dict[str, str]:
    session.add(Post(title=title, user_id=1))
    await session.commit()
    return {"status": "saved"}


def saved_posts() -> int:
    with Session(outside) as session:
        return session.scalars(select(func.count()).select_from(Post)).one()


def test_commit_without_await_saves_nothing() -> None:
    with pytest.warns(RuntimeWarning) as warned:
        response = TestClient(app).post("/posts", params={"title": "lost"})
    assert (response.status_code, response.json()) == (200, {"status": "saved"})
    assert saved_posts() == 2
    assert quoted("never-awaited") in [str(warning.message) for warning in warned]
    TestClient(app).post("/fixed", params={"title": "kept"})
    assert saved_posts() == 3


# A small class instead of SQLAlchemy's session, which takes mypy seconds. `make check` verifies
# that mypy finds the latter too: otherwise the `type: ignore` above would be an error.
SNIPPET = """
class Session:
    async def commit(self) -> None: ...

async def save(session: Session) -> None:
    session.commit()
"""


def test_mypy_without_settings_finds_it(tmp_path: Path) -> None:
    file = tmp_path / "route.py"
    file.write_text(SNIPPET)
    bare = ("--config-file=", f"--cache-dir={tmp_path / 'cache'}", "--no-error-summary")
    command = [sys.executable, "-m", "mypy", *bare, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line.split(": ", 1)[1] for line in done.stdout.splitlines()]
    assert found == quoted("mypy").splitlines()
