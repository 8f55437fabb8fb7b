"""Is the instrument right? Servers with known answers, and what must be read off them."""

# Of the folder that everything driven and noted is kept in.
RUNS, LOGS = "runs", "logs"


class NoEvidenceError(Exception):
    """What an item needs is not there: a sentence that says what."""
