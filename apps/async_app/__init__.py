"""The blog with `async def` routes: all requests share the event loop."""
