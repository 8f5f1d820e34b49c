"""Faults on containers, by the engine's API. What is here was made by one owner, and says so."""
