"""Preflight: all targets of a scenario must do the same work before anything is measured."""
