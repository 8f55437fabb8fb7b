"""The blog with `async def` routes, which run on the event loop."""
