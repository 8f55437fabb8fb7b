"""Two versions of one app, from git, as targets of one run."""
