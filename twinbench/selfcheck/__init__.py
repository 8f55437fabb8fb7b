"""Self-check of the load generator before each run."""
