"""How all tests run."""

from hypothesis import HealthCheck, settings

# A machine that is busy, or that makes its tables of characters anew, is slow and not wrong.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")
