"""Charts, pages and tables: pure functions of the results."""
