"""The deterministic world: virtual time, a seeded scheduler, processes, disks and a network.

One seed, one run: nothing in here reads a clock, draws randomness or touches the machine; time is
the loop's, chance and crash points are handed in. Knows no scenario.
"""
