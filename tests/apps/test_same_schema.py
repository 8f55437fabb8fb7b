"""Guard 3: both apps describe the same API, byte for byte."""

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.apps.serving import TWINS


def description(app: FastAPI) -> bytes:
    return TestClient(app).get("/openapi.json").content


def test_both_describe_the_same_api() -> None:
    sync, asynchronous = (description(twin.app) for twin in TWINS.values())
    assert sync == asynchronous
    # Not the same nothing.
    assert len(json.loads(sync)["paths"]) == 16


@pytest.mark.parametrize(
    "drift", [{"summary": "Other"}, {"tags": ["x"]}, {"responses": {418: {}}}, {"deprecated": True}]
)
def test_a_drift_is_caught(drift: dict[str, object]) -> None:
    same, other = FastAPI(), FastAPI()
    same.get("/")(_endpoint)
    other.get("/", **drift)(_endpoint)  # type: ignore[arg-type]
    assert description(same) != description(other)


def _endpoint() -> None: ...
