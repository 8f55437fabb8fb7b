"""What was measured, turned into curves and comparisons: pure functions of a run folder."""
