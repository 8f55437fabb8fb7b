"""Is the instrument right? Servers with known answers, and what must be read off them."""
