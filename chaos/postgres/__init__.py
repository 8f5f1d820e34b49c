"""PostgreSQL as something that can be broken: a server of the lab's own, and faults on it."""
