"""Reports of a run: a view built once from its results, and the outputs that show it."""
