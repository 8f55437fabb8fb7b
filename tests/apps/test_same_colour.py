"""Guard 2: every function of ours that FastAPI calls is `async` in one app, plain in the other."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant

from tests.apps.serving import TWINS, routes

Function = Callable[..., Any]


def functions(app: FastAPI, module: str) -> Iterator[Function]:
    """The endpoints, dependencies and error handlers of `app` that are defined in `module`."""
    called = [*app.exception_handlers.values()]
    for route in routes(app):
        called += _of(route.dependant)
    yield from (function for function in called if function.__module__.startswith(module))


def _of(dependant: Dependant) -> Iterator[Function]:
    if dependant.call:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _of(inner)


def is_async(function: Function) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


@pytest.mark.parametrize("name", TWINS)
def test_every_function_has_its_colour(name: str) -> None:
    found = {f.__name__: is_async(f) for f in functions(TWINS[name].app, f"apps.{name}_app")}
    # One of each kind, so that an empty list cannot pass.
    assert {"read_post", "home_page", "get_session", "get_current_user", "http_error"} <= set(found)
    assert set(found.values()) == {name == "async"}


def test_both_have_the_same_functions() -> None:
    one, other = (
        sorted(f.__name__ for f in functions(TWINS[name].app, f"apps.{name}_app")) for name in TWINS
    )
    assert one == other


async def right() -> None: ...


def wrong() -> None: ...


@pytest.mark.parametrize("where", ["endpoint", "dependency", "handler"])
def test_a_drift_is_caught(where: str) -> None:
    app, router = FastAPI(), APIRouter()
    endpoint = wrong if where == "endpoint" else right
    dependency = wrong if where == "dependency" else right
    router.add_api_route("/", endpoint, dependencies=[Depends(dependency)])
    app.include_router(router)
    handler: Any = wrong if where == "handler" else right
    app.add_exception_handler(OSError, handler)
    colours = [is_async(function) for function in functions(app, __name__)]
    assert sorted(colours) == [False, True, True]
