"""The differences between the sync app and the async app, read from their source files.

`conversion` lists and checks them, `page` writes them to docs/side-by-side.md (`make docs`).
"""
