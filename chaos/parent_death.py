"""Child processes that die with whoever started them, however that happens."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """In a child, before it becomes another program: the kernel kills it when the thread that
    started it ends. Does nothing where there is no Linux."""
    if _libc is not None and _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        os._exit(127)
