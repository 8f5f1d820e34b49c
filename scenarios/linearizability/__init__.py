"""Whether a history has an order that a sequential specification allows (linearizability).

After M. Herlihy, J. Wing, "Linearizability: A Correctness Condition for Concurrent Objects" (TOPLAS
1990). `model` says what a specification is, `models` holds those there are, `search` looks for an
order, and `judge` does so for every key of a history.
"""
