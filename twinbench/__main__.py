"""`python -m twinbench` is `twinbench`."""

from twinbench.cli import main

main()
