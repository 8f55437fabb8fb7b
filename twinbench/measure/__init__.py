"""One measurement from start to end: machine, processes, server, generator, telemetry."""
