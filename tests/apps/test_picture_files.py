"""Pictures as files and rows: nothing is lost, nothing is left behind, whatever fails or races."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import event

from tests.apps.conftest import DATABASE
from tests.apps.serving import APPS, ME, PATH, PICTURES, image_file, picture, upload, uploaded_files


def _execute(*statements: str) -> None:
    """Run `statements` beside the app, and commit."""
    database = sqlite3.connect(DATABASE)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def test_the_old_picture_goes_when_the_new_one_is_there(client: TestClient) -> None:
    first = upload(client, picture()).json()["image_file"]
    second = upload(client, picture()).json()["image_file"]
    assert first != second
    assert uploaded_files() == [second]
    assert client.delete(PATH, headers=ME).json()["image_file"] is None
    assert uploaded_files() == []


def test_a_user_who_leaves_takes_the_picture_along(client: TestClient) -> None:
    upload(client, picture())
    assert client.delete("/api/users/1", headers=ME).status_code == 204
    assert uploaded_files() == []


def test_a_failed_commit_leaves_neither_file_nor_row(client: TestClient) -> None:
    before = upload(client, picture()).json()["image_file"]
    # A constraint that is checked when the transaction ends, broken by every new picture.
    _execute(
        "CREATE TABLE doom (id REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER doomed AFTER UPDATE OF image_file ON users"
        " WHEN new.image_file IS NOT old.image_file BEGIN INSERT INTO doom VALUES (999); END",
    )
    assert upload(client, picture()).status_code == 409
    assert client.delete(PATH, headers=ME).status_code == 409
    assert image_file(client) == before
    assert uploaded_files() == [before]


def test_a_file_that_cannot_be_written_leaves_the_old_one(client: TestClient) -> None:
    before = upload(client, picture()).json()["image_file"]
    moved = PICTURES.with_name("moved")
    PICTURES.rename(moved)
    try:
        assert upload(client, picture()).status_code == 500
    finally:
        moved.rename(PICTURES)
    assert image_file(client) == before
    assert uploaded_files() == [before]


def test_two_at_once_leave_one(client: TestClient) -> None:
    """The one that lost the race must not leave its file, nor the row name a file that is gone."""
    at_once = 6
    barrier = threading.Barrier(at_once)

    def one(_number: int) -> int:
        barrier.wait()
        status: int = upload(client, picture()).status_code
        return status

    with ThreadPoolExecutor(at_once) as pool:
        assert list(pool.map(one, range(at_once))) == [200] * at_once
    assert uploaded_files() == [image_file(client)]


def test_an_upload_while_the_user_leaves_is_refused_and_leaves_nothing(
    client: TestClient, name: str
) -> None:
    engine = APPS[name].engine
    gone: list[bool] = []

    def leave(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE users") and not gone:
            gone.append(True)
            _execute("DELETE FROM posts WHERE user_id = 1", "DELETE FROM users WHERE id = 1")

    event.listen(engine, "before_cursor_execute", leave)
    try:
        answer = upload(client, picture())
    finally:
        event.remove(engine, "before_cursor_execute", leave)
    assert gone
    assert answer.status_code == 404
    assert uploaded_files() == []
