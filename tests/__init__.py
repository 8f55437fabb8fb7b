"""Tests, by folder: CONTRIBUTING.md lists what each needs."""
