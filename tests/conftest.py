"""How all tests run."""

import os
import signal

from hypothesis import HealthCheck, Phase, settings

# A machine that is busy, or that makes its tables of characters anew, is slow and not wrong.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A mutant must meet the same examples whenever it is tried, and need not be explained.
settings.register_profile(
    "mutation",
    settings.get_profile("lab"),
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "lab"))

# A shell that puts a command into the background has it ignore Ctrl-C, and so would everything that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
