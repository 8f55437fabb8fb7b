"""Analysis of a run folder: figures, validity, curves, comparisons and claims."""
