"""One cell, start to finish: processes, cores, server, driver."""
