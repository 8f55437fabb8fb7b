"""Scenario with a login: setup requests, and captured values under load."""

from pathlib import Path

import polars as pl

from twinbench.measure.rig import Rig
from twinbench.plan import cells, read_plan
from twinbench.store import CellRecord

# Each server has a token of its own, as a secret drawn at its start would.
APP = """
import secrets
from fastapi import FastAPI, Form, Header, HTTPException, UploadFile
app = FastAPI()
TOKEN = secrets.token_hex(8)

def check(authorization: str) -> None:
    if authorization != f"Bearer {TOKEN}":
        raise HTTPException(401)

@app.post("/token")
def token(username: str = Form(), password: str = Form()) -> dict[str, dict[str, str]]:
    if (username, password) != ("me@example.com", "a b&c"):
        raise HTTPException(400)
    return {"access": {"token": TOKEN}}

@app.get("/me")
def me(authorization: str = Header()) -> dict[str, int]:
    check(authorization)
    return {"id": 7}

@app.put("/users/{user}/picture")
def picture(user: int, file: UploadFile, authorization: str = Header()) -> dict[str, bool]:
    check(authorization)
    if user != 7 or file.content_type != "image/png" or file.file.read() != b"PNG" * 50_000:
        raise HTTPException(400)
    return {"done": True}
"""
PLAN = """
name = "login"
blocks = 1
warmup_s = 0.1
measure_s = 0.3
targets = [{ name = "one", app = "guarded:app", cwd = "." }]
[[scenarios]]
name = "upload"
closed = [1, 4]
[[scenarios.setup]]
method = "POST"
path = "/token"
form = { username = "me@example.com", password = "a b&c" }
capture = { token = "access.token" }
[[scenarios.setup]]
path = "/me"
headers = { Authorization = "Bearer {token}" }
capture = { user = "id" }
[[scenarios.requests]]
method = "PUT"
path = "/users/{user}/picture"
headers = { Authorization = "Bearer {token}" }
upload = { file = "me.png" }
"""


def measure(folder: Path, plan_text: str) -> CellRecord:
    """Measure the first cell of a plan; the server runs on unless it is lost."""
    (folder / "guarded.py").write_text(APP)
    (folder / "me.png").write_bytes(b"PNG" * 50_000)
    (folder / "plan.toml").write_text(plan_text)
    (folder / "logs").mkdir()
    plan = read_plan(folder / "plan.toml")
    with Rig(plan, folder / "logs") as rig:
        (record,) = rig.measure(cells(plan)[:1], [folder])
        assert (not rig._servers) == (record.outcome == "lost")
    return record


def test_captured_values_are_sent_under_load(tmp_path: Path) -> None:
    record = measure(tmp_path, PLAN)
    assert (record.outcome, record.reason) == ("done", "")
    assert record.good > 0
    assert set(pl.read_parquet(tmp_path / "requests.parquet")["status"]) == {200}


def test_a_failed_setup_loses_the_cell_and_stops_the_server(tmp_path: Path) -> None:
    record = measure(tmp_path, PLAN.replace("a b&c", "wrong"))
    assert record.outcome == "lost"
    assert record.reason == (
        "'one': setup: POST /token was answered with 400, the plan expects 200"
    )
