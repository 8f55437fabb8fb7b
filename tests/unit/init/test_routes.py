"""Which routes are proposed, with which values."""

import json
from collections.abc import Mapping

from twinbench.init.openapi import Parameter, Route
from twinbench.init.routes import (
    Answer,
    Ask,
    Capture,
    Found,
    LeftOut,
    linked_routes,
    try_routes,
)

ID = Parameter("user_id", "path", ("1",))
USERS, USER = Route("/users"), Route("/users/{user_id}", (ID,))


class App:
    """App that answers known paths, others with 404; keeps what it was asked for."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, path: str) -> Answer:
        self.asked.append(path)
        found = self.answers.get(path, 404)
        if isinstance(found, Answer):
            return found
        return Answer(found) if isinstance(found, int) else Answer(200, json.dumps(found).encode())


def tried(before: Ask, after: Ask, *routes: Route) -> Found:
    return try_routes(routes, {"before": before, "after": after})


def paths(found: Found) -> list[str]:
    return [route.path for route in found.working]


def test_value_of_the_schema_is_taken_if_it_works() -> None:
    app = App({"/users/1": {}})
    assert paths(tried(app, app, USER)) == ["/users/1"]


def test_value_is_found_in_the_list_before_it() -> None:
    app = App({"/users": [{"id": 5}], "/users/5": {}})
    found = tried(app, app, USER, USERS)
    assert paths(found) == ["/users/5", "/users"]  # in their order
    assert found.left_out == []


def test_value_is_found_in_a_page_of_items_and_quoted() -> None:
    app = App({"/u/": {"total": 1, "items": [{"slug": "a b/c"}]}, "/u/a%20b%2Fc": {}})
    route = Route("/u/{slug}", (Parameter("slug", "path"),))
    assert paths(tried(app, app, Route("/u/"), route)) == ["/u/", "/u/a%20b%2Fc"]


def test_value_is_found_in_another_list_by_its_name() -> None:
    app = App({"/orders": [{"user_id": 9}], "/users/9": {}})
    assert paths(tried(app, app, Route("/orders"), USER)) == ["/orders", "/users/9"]


def test_value_that_differs_between_the_targets_is_captured() -> None:
    before, after = (
        App({"/users": [{"id": "aa"}], "/users/aa": {}}),
        App({"/users": [{"id": "bb"}], "/users/bb": {}}),
    )
    _, user = tried(before, after, USERS, USER).working
    assert user.path == "/users/{user_id}"
    assert user.captures == (Capture("user_id", "/users", "0.id"),)


def test_nested_values_follow_each_other() -> None:
    route = Route("/users/{user_id}/posts/{post_id}", (ID, Parameter("post_id", "path", ("1",))))
    posts = Route("/users/{user_id}/posts", (ID,))
    answers = {"/users/1/posts": [{"id": 3}], "/users/1/posts/3": {}}
    assert paths(tried(App(answers), App(answers), posts, route)) == list(answers)


def test_query_is_encoded_and_status_is_kept() -> None:
    route = Route("/s", (Parameter("q", "query", ("a&b",)),))
    app = App({"/s?q=a%26b": 204})
    [working] = tried(app, app, route).working
    assert (working.path, working.status) == ("/s?q=a%26b", 204)


def test_routes_that_do_not_work_are_left_out_with_a_reason() -> None:
    no_answer = Answer(0, problem="no response within 10 s")
    before = App({"/one": {}, "/login": 401, "/two": 200, "/hangs": no_answer, "/moved": 307})
    after = App({"/one": 500, "/login": 401, "/two": 204, "/hangs": {}, "/moved": 307})
    needy = [
        Route("/h", (Parameter("x-key", "header"),)),
        Route("/q", (Parameter("q", "query"),)),
    ]
    names = ("/one", "/login", "/two", "/hangs", "/moved")
    found = tried(before, after, *map(Route, names), *needy)
    assert found.working == []
    assert found.left_out == [
        LeftOut("GET /one", "before: 200, after: 500"),
        LeftOut("GET /login", "needs a login", "login"),
        LeftOut("GET /two", "before: 200, after: 204"),
        LeftOut("GET /hangs", "before: no response within 10 s"),
        LeftOut("GET /moved", "answered with 307"),
        LeftOut("GET /h", "needs the header x-key"),
        LeftOut("GET /q", "no value is known for q"),
    ]
    assert after.asked.count("/hangs") == 0  # it may hang as long


def test_route_without_a_working_value_is_asked_few_times() -> None:
    many = Parameter("id", "path", tuple(map(str, range(100))))
    app = App({})
    found = tried(app, app, Route("/x/{id}", (many,)))
    assert [each.why for each in found.left_out] == ["answered with 404"]
    assert len(app.asked) <= 20


def test_slow_first_response_is_measured_again() -> None:
    answers = iter([Answer(200, took_s=2.0), Answer(200, took_s=0.01), Answer(200, took_s=0.02)])
    [working] = try_routes([Route("/")], {"before": lambda _: next(answers)}).working
    assert working.slowest_s == 0.01


def test_links_of_a_page_are_routes() -> None:
    page = (
        b'<a href="/">x</a><a href="/posts?page=2">x</a><a href="/posts">x</a><a href="//cdn/x">'
        b"<link href='/static/a.css'><a href='/about#me'><a href='https://a/b'>"
    )
    assert [each.path for each in linked_routes(Answer(200, page))] == ["/posts", "/about"]
