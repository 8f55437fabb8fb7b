"""Code that both apps use: models, schemas, SQL statements, security, images, rendering, settings.

It is the same for `def` and `async def`, because it awaits nothing. Some of it is CPU-bound
(`images`, `security`, `cpu_work`) and some writes files at startup (`seed`): the async app runs
that in worker threads, or before the first request. Exceptions are written as ASGI or `async def`
for both apps alike: the middleware `body_limit`, the handler `rendering.busy_error`, and
`offload`, which only the async app uses.
"""
