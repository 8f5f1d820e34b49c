"""How all tests run."""

import signal

from hypothesis import HealthCheck, settings

# A machine that is busy, or that makes its tables of characters anew, is slow and not wrong.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")

# A shell that puts a command into the background has it ignore Ctrl-C, and so would everything that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
