"""The simulated DTMS API: a real server that keeps the registration contract.

Knows nothing of the core: shared wire code would hide shared mistakes.
"""
