"""Whole clusters in one process: real nodes, handlers and coordinators on a simulated clock, network and disk.

    python -m tests.simulation.cluster --seeds 100          many seeds, two processes
    python -m tests.simulation.cluster --first 17 --seeds 1 --trace    one of them again, with all that happened

Promises: a seed is a run, entirely: the trace's hash is the same in every process.
"""
