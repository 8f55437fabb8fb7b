"""A person at the pages, in a real browser, on both apps as real servers."""
