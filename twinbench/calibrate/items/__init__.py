"""The known answers, a module each: what is judged, how far off it may be, and why so far."""
