"""What differs between the twins, pattern by pattern, and what each means at run time.

Each names the functions (or the beginnings of statements) in which it is seen;
docs/side-by-side.md shows them from the files as they are.
"""

from typing import NamedTuple


class Pattern(NamedTuple):
    """A difference, where it is seen, and what it means.

    A place is a file of the twins, or of apps/shared, and what begins there.
    """

    title: str
    places: tuple[tuple[str, str], ...]
    meaning: str


PATTERNS = (
    Pattern(
        "The colour of a route",
        (("posts.py", "read_post"), ("posts.py", "find_post")),
        """
A `def` route runs in a thread of AnyIO's pool: FastAPI hands the call to a thread, and a thread
may wait as long as it likes, but there are only 40. An `async def` route runs on the event loop,
the one thread that serves every request: it may only wait at an `await`, where the loop takes up
another request. Whoever calls something that waits becomes `async` as well, up to the route.
""",
    ),
    Pattern(
        "Engine and session",
        (("database.py", "engine = "), ("database.py", "new_session = ")),
        """
`aiosqlite` gives each connection a thread of its own and answers through the loop; SQLite itself
has no asynchronous interface. `expire_on_commit=False`: by default a commit expires every
attribute, and reading one is a query. In the async app that query would start where nothing can
be awaited. Events are listened to on `engine.sync_engine`, the ordinary engine beneath the async
one. Both pools hold 5 connections and open 10 more: the 16th request waits, here in a thread,
there on the loop, and after `pool_timeout` (30 s) it fails.
""",
    ),
    Pattern(
        "The session of a request",
        (("database.py", "get_session"),),
        """
A dependency with `yield`: what follows the `yield` runs after the response has been sent and its
background tasks have ended. In the sync app entering and leaving are two hops into the thread
pool for every request. Why it rolls back: [trap 9](pitfalls.md#9-a-commit-that-failed).
""",
    ),
    Pattern(
        "Start and end",
        (("database.py", "prepare_database"), ("main.py", "lifespan")),
        """
The lifespan is `async` in both apps. Code that was written for a plain connection, as
`create_all` is, runs through `run_sync`: SQLAlchemy runs it on a stack of its own (greenlet) and
awaits for it. That is no thread: what computes in there, or writes files, blocks the loop; at the
start nobody waits. The HTTP client changes its class, not its options.
""",
    ),
    Pattern(
        "Who is asking",
        (("dependencies.py", "get_current_user"),),
        """
Dependencies have a colour too. A `def` dependency waits for a free thread before the route waits
for one of its own; under load that may take longer than its work, and one that queries holds a
connection meanwhile ([trap 7](pitfalls.md#7-def-routes-that-stop-under-load)). An `async def`
dependency stays on the loop. Mixing is allowed: an `async def` route with `def` dependencies
works, and waits for their threads.
""",
    ),
    Pattern(
        "What is awaited and what is not",
        (("posts.py", "create_post"), ("posts.py", "delete_post")),
        """
`execute`, `commit`, `refresh` and `delete` reach the database and are awaited; `delete` because
what belongs to the object may have to be loaded first. `add` only notes an object in memory; the
INSERT is sent by the commit. Of what you will meet next, `get`, `scalars` and `flush` are
awaited, `add_all` and `expunge` are not. Reading a result (`scalar_one_or_none`) is not awaited
either: the rows are here already (but for those of `stream()`). A forgotten `await` raises
nothing: the call does not happen, and Python warns ([trap 4](pitfalls.md#4-a-forgotten-await)).
And a session is for one task at a time ([trap 11](pitfalls.md#11-one-asyncsession-in-two-tasks)).
""",
    ),
    Pattern(
        "Eager loading",
        (("statements.py", "posts_page"), ("posts.py", "list_posts")),
        """
The response shows each post's author. A relationship that was not loaded is loaded when it is
touched, and here that is inside the response's validation, where nothing can be awaited: the
async app fails there ([traps 1](pitfalls.md#1-a-relationship-that-no-query-loaded) and
[2](pitfalls.md#2-the-same-hidden-by-the-identity-map)). So every statement that leads to an
author says `selectinload(Post.author)`: one more SELECT for all authors of the page. The sync app
could load lazily, one SELECT per author; it runs the same statements, or the comparison would be
of different work.
""",
    ),
    Pattern(
        "After a write: refresh what the response shows",
        (("posts.py", "load_author"),),
        """
A new `Post(user_id=...)` has the id of its author, and no author: the response would load it
lazily, and fail. Naming the relationship in `refresh` loads it here, where it can be awaited;
without a name `refresh` reads the columns only ([trap
3](pitfalls.md#3-refreshpost-without-names)).
""",
    ),
    Pattern(
        "CPU work off the loop",
        (("users.py", "create_user"), ("users.py", "log_in")),
        """
Argon2 is slow on purpose (the scenario `hash` tells how slow on your machine), and for so long a
loop would serve nobody else. There is nothing to await in it. `run_in_threadpool` hands it to the
same 40 threads that serve `def` routes, and awaits the answer; the hash lets go of the GIL, so
the loop goes on ([trap 6](pitfalls.md#6-a-password-hash-on-the-event-loop)). In the `def` route
the call stands as it is: it is in a thread already.
""",
    ),
    Pattern(
        "Files, and the order in which file and row change",
        (("pictures.py", "replace_picture"), ("pictures.py", "remove_picture")),
        """
Writing a file waits for the disk and cannot be awaited either: it goes to a thread, as Pillow's
work does. The order is the same in both: the new file, then the commit, then the old file. At
every moment the file that the row names exists; if the commit fails the new file is removed. The
row is held before it is read (an UPDATE that changes nothing), so that of two uploads at once the
later removes the earlier's file.
""",
    ),
    Pattern(
        "Waiting, pure and simple",
        (("workload.py", "wait"), ("workload.py", "fetch"), ("workload.py", "query")),
        """
The same wait, three times: a sleep, a call over HTTP, a statement. In the sync app each holds one
of 40 threads; at 50 ms that is 800 requests a second at most, whatever the machine. In the async
app a sleep holds a timer and a call holds a socket; a statement still holds one of 15
connections, which at 50 ms is 300 a second at most, in both apps.
""",
    ),
    Pattern(
        "Computing",
        (("workload.py", "compute"), ("workload.py", "work_afterwards")),
        """
Nothing waits here, so nothing is gained by `async`: on the loop every other request waits until
it is done. `run_cpu` moves it to a thread or a process if `BLOG_CPU_OFFLOAD` says so. What runs
after the response (`BackgroundTasks`) has the same choice: a `def` task takes a thread, an `async
def` task shares the loop.
""",
    ),
)
