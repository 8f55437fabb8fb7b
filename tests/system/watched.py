"""An app that blocks, waits, holds and grows until a gate is opened, and a server of it."""

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.processes import LONG_S
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


def target(folder: Path, text: str = APP) -> Target:
    (folder / "own.py").write_text(text)
    return Target(name="own", app="own:app", cwd=folder)


@contextmanager
def serving(wanted: Target) -> Iterator[Server]:
    server = Server(wanted)
    try:
        yield server.wait_until_ready(LONG_S)
    finally:
        server.stop()


@contextmanager
def asking(server: Server, path: str, times: int, gate: Path) -> Iterator[None]:
    """So many requests in flight; at the end the gate is opened, and all are answered."""
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


def get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=LONG_S) as answer:
        answer.read()


def comes(sees: Callable[[], bool]) -> bool:
    """True once `sees`; False if that does not come in a long time."""
    end = time.monotonic() + LONG_S
    while not sees():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
