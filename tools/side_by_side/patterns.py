"""The patterns of the conversion that docs/side-by-side.md explains."""

from typing import NamedTuple


class Pattern(NamedTuple):
    """A difference between the apps, with examples.

    An example is a file name and the function or the beginning of the statement to show.
    """

    title: str
    examples: tuple[tuple[str, str], ...]
    text: str


PATTERNS = (
    Pattern(
        "Routes",
        (("posts.py", "read_post"), ("posts.py", "find_post")),
        """
A `def` route runs in a worker thread of AnyIO's pool. It may block for as long as it needs, but
there are only 40 worker threads. An `async def` route runs on the event loop, the one thread that
serves all requests. It must not block: it waits at an `await`, where the event loop continues with
another request. A function that calls an `async def` function becomes `async def` too, up to the
route.
""",
    ),
    Pattern(
        "Engine and session factory",
        (("database.py", "engine = "), ("database.py", "new_session = ")),
        """
SQLite has no asynchronous interface: `aiosqlite` runs each connection in a thread of its own.
`expire_on_commit=False` is required, because by default a commit expires all attributes and
reading one is a query that cannot be awaited. Events are registered on `engine.sync_engine`, the
ordinary engine inside the async engine. Both pools have 5 connections and open 10 more. The 16th
request waits for a connection: in a worker thread or on the event loop. After `pool_timeout`
(30 s) it fails.
""",
    ),
    Pattern(
        "The session of a request",
        (("database.py", "get_session"),),
        """
The code after `yield` runs when the response has been sent and its background tasks have ended. In
the sync app, entering and leaving the dependency each need a worker thread.
[Pitfall 9](pitfalls.md#9-failed-commit) explains the rollback.
""",
    ),
    Pattern(
        "Startup and shutdown",
        (("database.py", "prepare_database"), ("main.py", "lifespan")),
        """
The lifespan is `async def` in both apps. `run_sync` calls a function that takes an ordinary
connection, such as `create_all`: SQLAlchemy runs it in a greenlet and awaits the IO for it. It is
not a thread, so CPU-bound work and file access in it block the event loop. At startup no request
waits. The HTTP client changes its class but not its options.
""",
    ),
    Pattern(
        "Dependencies",
        (("dependencies.py", "get_current_user"),),
        """
A `def` dependency needs a worker thread, and then the route needs another one. Under load the
waits for threads may exceed the work, and a dependency that queries holds a connection during the
second wait ([pitfall 7](pitfalls.md#7-deadlock-of-def-routes)). An `async def` dependency runs on
the event loop. An `async def` route may have `def` dependencies, which run in worker threads.
""",
    ),
    Pattern(
        "What is awaited",
        (("posts.py", "create_post"), ("posts.py", "delete_post")),
        """
`execute`, `commit`, `refresh` and `delete` access the database and are awaited (`delete` may load
dependent objects first). `add` only registers the object; the commit sends the INSERT. Of other
methods, `get`, `scalars` and `flush` are awaited, `add_all` and `expunge` are not. Reading a
result (`scalar_one_or_none`) is not awaited, because the rows are in memory, except those of
`stream()`. A call without its `await` does not run; Python only warns
([pitfall 4](pitfalls.md#4-missing-await)). A session must not be used by two tasks at the same
time ([pitfall 11](pitfalls.md#11-one-asyncsession-in-two-tasks)).
""",
    ),
    Pattern(
        "Eager loading",
        (("statements.py", "posts_page"), ("posts.py", "list_posts")),
        """
The response contains the author of each post. A relationship that the query did not load is loaded
when it is read: here during response validation, where nothing can be awaited. The async app fails
there (pitfalls [1](pitfalls.md#1-lazy-load) and
[2](pitfalls.md#2-lazy-load-hidden-by-the-identity-map)). Therefore each statement loads authors
with `selectinload(Post.author)`: one more SELECT for all authors of a page. The sync app could load
lazily, with one SELECT per author; it executes the same statements, so that both do equal work.
""",
    ),
    Pattern(
        "Refresh after a write",
        (("posts.py", "load_author"),),
        """
A new `Post(user_id=...)` has the id of its author but no author: the response would load it lazily
and fail. `refresh` with the name of the relationship loads it where it can be awaited; without
names `refresh` reads the columns only ([pitfall 3](pitfalls.md#3-refresh-without-names)).
""",
    ),
    Pattern(
        "CPU-bound work",
        (("users.py", "create_user"), ("users.py", "log_in")),
        """
Argon2 is slow on purpose (the scenario `hash` measures it on your machine) and has nothing to
await: on the event loop it blocks all other requests. `run_in_threadpool` runs it in one of the
worker threads that also run `def` routes. Argon2 releases the GIL, so the event loop continues
([pitfall 6](pitfalls.md#6-password-hash-on-the-event-loop)). A `def` route calls it directly,
because it runs in a worker thread already.
""",
    ),
    Pattern(
        "Files",
        (("pictures.py", "replace_picture"), ("pictures.py", "remove_picture")),
        """
Writing a file waits for the disk and cannot be awaited either, so it runs in a worker thread. The
order is the same in both apps: write the new file, commit, delete the old file. The file that the
row names always exists; if the commit fails, the new file is deleted. An UPDATE that changes
nothing locks the row before it is read, so that of two concurrent uploads the later deletes the
file of the earlier.
""",
    ),
    Pattern(
        "Waiting",
        (("workload.py", "wait"), ("workload.py", "fetch"), ("workload.py", "query")),
        """
The same wait as a sleep, an HTTP call and an SQL statement. In the sync app each holds one of 40
worker threads: at 50 ms at most 800 requests/s, on any machine. In the async app a sleep needs a
timer and a call needs a socket. A statement holds one of 15 connections in both apps: at 50 ms at
most 300 requests/s.
""",
    ),
    Pattern(
        "Computing and background tasks",
        (("workload.py", "compute"), ("workload.py", "background_task")),
        """
Computing does not wait, so `async def` gains nothing: on the event loop it blocks all other
requests. `run_cpu` moves it to a thread or a process, by the setting `BLOG_CPU_OFFLOAD`. A
background task runs after the response: a `def` task in a worker thread, an `async def` task on
the event loop.
""",
    ),
)
