"""Servers that run already: whose machine they are on, and their process."""

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import psutil
import pytest

from twinbench.measure.running import RunningServer, refusal, resolve
from twinbench.measure.telemetry import MemoryLimit
from twinbench.plan import Target

OF_OTHERS = "192.0.2.7"  # of no machine (RFC 5737)
NO_PROCESS = 2**22  # beyond the highest number of Linux
NAMES = {"own.test": "127.0.0.1", "other.test": OF_OTHERS, OF_OTHERS: OF_OTHERS}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of hosts, and those that were looked up."""
    asked: list[str] = []

    def look_up(host: str) -> str:
        asked.append(host)
        if host not in NAMES:
            raise socket.gaierror(-2, "Name or service not known")
        return NAMES[host]

    monkeypatch.setattr(socket, "gethostbyname", look_up)
    resolve.cache_clear()
    yield asked
    resolve.cache_clear()


def target(host: str = "own.test", **keys: object) -> Target:
    return Target.model_validate({"name": "x", "url": f"http://{host}:8000"} | keys)


def test_only_this_machine_is_measured_without_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(target(), remote=False) == ""
    assert "'other.test' is not this machine; --remote" in refusal(
        target("other.test"), remote=False
    )
    assert refusal(target(OF_OTHERS), remote=True) == ""
    # An address of one of its own interfaces.
    interface = [SimpleNamespace(address=OF_OTHERS)]
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": interface})
    assert refusal(target(OF_OTHERS), remote=False) == ""


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (target("none.test"), "url: the address of 'none.test' is not known (Name or service"),
        (target(pid=NO_PROCESS), f"pid: there is no process {NO_PROCESS}"),
        (target("other.test", pid=1), "pid: a process of another machine cannot be observed"),
    ],
)
def test_what_does_not_exist_is_refused(of: Target, message: str) -> None:
    assert refusal(of, remote=True).startswith(message)


def test_a_process_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(pid: int) -> None:
        raise psutil.AccessDenied(pid)

    monkeypatch.setattr(psutil, "Process", deny)
    assert refusal(target(pid=1), remote=False) == "pid: process 1 may not be observed by this user"


def test_a_name_is_resolved_once(names: list[str]) -> None:
    for _ in range(3):
        server = RunningServer(target(), retry=True)
        assert (server.address, server.url) == ("127.0.0.1", "http://own.test:8000")
    assert names == ["own.test"]


@pytest.mark.parametrize("known", [False, True])
def test_telemetry_needs_a_process(known: bool) -> None:
    pid = os.getpid() if known else None
    limit = MemoryLimit(1.0, "far too little, but not for a server of others")
    with RunningServer(target(pid=pid), retry=True).sampler(limit) as sampler:
        sampler.sample()
    assert (sampler.memory_mib is not None) == known
    assert (sampler.frame().height > 0) == known
    assert (sampler.ended_reason, sampler.remarks) == ("", [])
