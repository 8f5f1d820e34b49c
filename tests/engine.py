"""The Docker engine that tests run against. In CI there must be one."""

from __future__ import annotations

import os

import pytest

from chaos.docker.engine import Engine, NoEngine

REQUIRED = "DTMS_LAB_ENGINE"
"""Set to `required` where no test may be skipped for want of an engine."""


def engine_or_skip() -> Engine:
    """An engine that answers; without one the test is skipped, or fails where it is required."""
    try:
        return Engine.connect()
    except NoEngine as error:
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(f"{error}, and {REQUIRED} says that there must be one", pytrace=False)
        pytest.skip(f"{error}; .ci/engine COMMAND runs a command with one")
