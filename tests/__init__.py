"""Tests: `unit` needs no socket and no clock; `apps` runs both apps in process; `system` starts
real servers, real load and the real command on loopback."""
