"""App whose routes block, wait, hold a connection or grow until a gate opens, and its server."""

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import LONG_S
from twinbench.measure.server import Server
from twinbench.plan import Target

APP = """
import time
from contextlib import asynccontextmanager
from pathlib import Path
from fastapi import FastAPI
GATE = Path(__file__).with_name("gate")
def until_open():
    while not GATE.exists():
        time.sleep(0.005)
@asynccontextmanager
async def lifespan(app):
    if OWN:
        kept.append(engine().connect())
    yield
app = FastAPI(lifespan=lifespan)
kept = []
def engine():
    global one
    from sqlalchemy import create_engine, pool
    if one is None:
        one = create_engine("sqlite://", poolclass=pool.QueuePool, pool_size=1 + OWN,
            max_overflow=0, connect_args={"check_same_thread": False})
    return one
one, OWN = None, False
@app.get("/ok")
async def ok(): return "ok"
@app.get("/block")
async def block(): until_open()
@app.get("/wait")
def wait(): until_open()
@app.get("/hold")
def hold():
    with engine().connect():
        until_open()
@app.get("/keep")
def keep(): kept.append(engine().connect())
@app.get("/grow")
async def grow(): kept.append(bytearray(b"x") * 100_000_000)
"""


def target(folder: Path, text: str = APP, **options: object) -> Target:
    """Return a target whose app, `text`, is in `folder`."""
    (folder / "own.py").write_text(text)
    return Target.model_validate({"name": "own", "app": "own:app", "cwd": folder} | options)


@contextmanager
def serving(wanted: Target, *, observe: bool = False) -> Iterator[Server]:
    """Give a server of `wanted` that is ready."""
    server = Server(wanted, observe=observe)
    try:
        yield server.wait_until_ready(LONG_S)
    finally:
        server.stop()


@contextmanager
def asking(server: Server, path: str, times: int, gate: Path) -> Iterator[None]:
    """Keep `times` requests in flight; at the end open the gate, and wait for the responses."""
    url = server.url + path
    threads = [threading.Thread(target=get, args=[url]) for _ in range(times)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        gate.touch()
        for thread in threads:
            thread.join()
        gate.unlink()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=LONG_S) as response:
        body: bytes = response.read()
        return body
