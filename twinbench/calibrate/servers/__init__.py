"""Servers whose answers are known, because they note themselves what they did and when.

Scripts of the standard library alone, started as `python -m twinbench.calibrate.servers`: they
import nothing of ours, so that no error of the instrument can be shared with them. One thread
each: what is logged is what happened, not what a scheduler of threads made of it.
"""
