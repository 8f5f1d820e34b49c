"""What a target can change in this process although its modules are its own; put right afterwards.

Two targets of one episode still share it. Not covered: what else the modules of installed packages
keep.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def put_back() -> Iterator[None]:
    """Loggers, the environment and the import path are afterwards as they were."""
    root, known = logging.getLogger(), logging.Logger.manager.loggerDict
    loggers, handlers, level = known.copy(), root.handlers[:], root.level
    environ, path = dict(os.environ), sys.path[:]
    try:
        yield
    finally:
        for name in tuple(known):
            if name not in loggers:
                del known[name]
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.path[:] = path
        if dict(os.environ) != environ:
            os.environ.clear()
            os.environ.update(environ)
