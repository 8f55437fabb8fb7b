"""The apps under test: one blog, written twice, and the external API that both call.

No code in this package depends on the benchmark.
"""
