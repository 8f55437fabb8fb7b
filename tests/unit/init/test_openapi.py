"""Routes and values that are read from OpenAPI documents."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbench.init.openapi import (
    Parameter,
    Route,
    find_words,
    get_routes,
    in_all,
    read_document,
    token_path,
    with_prefix,
    writing_routes,
)

SYNC_ASYNC = ("sync", "async")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["get", "parameters", "schema", "in", "name", "$ref", "anyOf"]), inner
        )
    ),
    max_leaves=20,
)


def document(*paths: str, **more: Any) -> dict[str, Any]:
    """Return a document whose `paths` respond to GET, without parameters."""
    return {"paths": {path: {"get": {}} for path in paths}} | more


def values(schema: object, place: str = "path", **more: object) -> tuple[str, ...]:
    """Return the values to try for a required parameter with this schema."""
    parameter = {"name": "p", "in": place, "required": True, "schema": schema} | more
    components = {
        "schemas": {
            "Kind": {"enum": ["aa", "bb"], "type": "string"},
            "Loop": {"$ref": "#/components/schemas/Loop"},
        }
    }
    of = {"paths": {"/": {"get": {"parameters": [parameter]}}}, "components": components}
    [route] = get_routes(of)
    [found] = route.parameters
    return found.values


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer"}, ("1",)),
        ({"type": "integer", "minimum": 5}, ("5", "1")),
        ({"type": "integer", "exclusiveMinimum": 0}, ("1",)),
        ({"type": "integer", "default": 7, "examples": [8, 9]}, ("7", "8", "1")),
        ({"type": "string"}, ("1",)),
        ({"type": "string", "format": "uuid"}, ()),
        ({"type": "string", "example": "me"}, ("me", "1")),
        ({"type": "boolean", "const": False}, ("false", "true")),
        ({"$ref": "#/components/schemas/Kind"}, ("aa", "1")),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ("1",)),
        ({"$ref": "#/components/schemas/Loop"}, ()),
        ({"$ref": "#/nowhere"}, ()),
        ("not a schema", ()),
    ],
)
def test_values_of_a_path_parameter(schema: object, expected: tuple[str, ...]) -> None:
    assert values(schema) == expected


def test_values_of_a_query_parameter_are_described_or_no_text() -> None:
    assert values({"type": "string"}, "query") == ()
    assert values({"type": "integer", "minimum": 3}, "query") == ("3", "1")
    assert values({"type": "string"}, "query", examples={"a": {"value": "x y"}}) == ("x y",)


def test_optional_parameters_are_left_out_and_own_ones_replace_those_of_the_path() -> None:
    of_path = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    own = of_path | {"schema": {"type": "integer", "example": 4}}
    optional = {"name": "q", "in": "query", "schema": {"type": "string"}}
    item = {"parameters": [of_path], "get": {"parameters": [own, optional]}, "delete": {}}
    of = {"paths": {"/a/{id}": item, "/b": {"post": {}}}}
    assert get_routes(of) == [Route("/a/{id}", (Parameter("id", "path", ("4", "1")),))]
    assert writing_routes(of) == ["POST /b", "DELETE /a/{id}"]


def test_routes_of_both_may_name_their_parameters_differently() -> None:
    shared, others = in_all([document("/", "/u/{id}", "/x"), document("/u/{user_id}", "/", "/y")])
    assert [route.path for route in shared] == ["/", "/u/{id}"]
    assert others == ["GET /x", "GET /y"]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["/sync/users", "/async/users", "/"], SYNC_ASYNC),
        (["/users/sync", "/users/async"], SYNC_ASYNC),
        (["/v1/def-x/{id}", "/v1/async-x/{key}"], ("def", "async")),
        (["/a/blocking", "/a/async", "/b_sync", "/b_async", "/c_sync", "/c_async"], SYNC_ASYNC),
        (["/syncdb/a", "/asyncdb/a"], ("syncdb", "asyncdb")),
        (["/users", "/items", "/async/users"], None),
        (["/u/{sync}", "/u/{async}"], None),
        ([], None),
    ],
)
def test_words_of_two_variants_in_one_app(paths: list[str], words: tuple[str, str] | None) -> None:
    assert find_words(get_routes(document(*paths))) == words


def test_prefixed_routes_are_those_that_exist_with_both_words() -> None:
    of = document("/v1/users/{sync}", "/v2/users/{id}", "/v1/only", "/x-v1", "/x-v2", "/v11", "/v2")
    routes = with_prefix(get_routes(of), ("v1", "v2"))
    assert [route.path for route in routes] == ["/{prefix}/users/{sync}", "/x-{prefix}"]


def test_path_of_a_login_by_password() -> None:
    scheme = {"type": "oauth2", "flows": {"password": {"tokenUrl": "api/token"}}}
    assert token_path(document(components={"securitySchemes": {"o": scheme}})) == "/api/token"
    assert token_path(document()) == ""


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"paths": []}', b"[" * 99999, b"\xff"])
def test_what_is_no_document_is_none(body: bytes) -> None:
    assert read_document(body) is None


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3), JSON)
def test_malformed_documents_are_read_without_error(paths: object, components: object) -> None:
    of = {"paths": paths, "components": components}
    assert isinstance(get_routes(of), list)
    assert isinstance(writing_routes(of), list)
    assert isinstance(token_path(of), str)
