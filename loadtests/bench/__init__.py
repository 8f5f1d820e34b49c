"""Benchmarks: commands that anyone can run, never timed tests. `python -m loadtests.bench`."""
