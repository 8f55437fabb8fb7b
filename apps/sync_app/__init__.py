"""The blog with `def` routes: each request borrows a thread from the pool."""
