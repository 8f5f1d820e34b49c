"""Searching for failures in the simulation: many plans, what fails made small, played again."""
