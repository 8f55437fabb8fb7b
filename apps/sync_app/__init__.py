"""The blog with `def` routes, which run in worker threads."""
