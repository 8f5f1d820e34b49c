"""A test stand: server, faults and judge for tests that are not ours, in a process of its own."""
