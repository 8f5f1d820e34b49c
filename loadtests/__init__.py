"""Load and benchmarks: how fast the registration path is, and what it costs."""
