"""Whatever cannot wait. What touches a session, a socket, a file or a clock is twinned."""
