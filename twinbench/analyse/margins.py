"""What is too little to matter. Apart from the statistics, so that a report need not load these."""

# A difference smaller than this matters to nobody who chooses between two designs.
MARGIN = 0.03
# Of the latency that a server shows which does nothing: below, more than half of what is read is
# the way there and back, and a ratio says little about the servers.
FLOORS = 2
