"""`python -m twinbench.twins` writes docs/side-by-side.md."""

from twinbench.twins.side_by_side import PAGE, page

PAGE.write_text(page(), encoding="utf-8")
