"""What the simulated API lives on where nothing is real: disks in virtual time.

Knows no world and no scenario; time is the running loop's, chance and crash points are handed in.
"""
