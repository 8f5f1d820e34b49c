"""What can be wrong with a Toxiproxy server, or with what it is asked.

ToxiproxyError
|- ServerUnreachable    it did not answer, and may have done what was asked
|- ServerRefused        it answered that it did not do it, and why
`- ServerMissing        none is installed
"""

from __future__ import annotations


class ToxiproxyError(Exception):
    """Of a Toxiproxy server."""


class ServerUnreachable(ToxiproxyError):
    """No answer: what was asked may have been done."""


class ServerRefused(ToxiproxyError):
    """It was not done; `status` is the answer's."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"{sentence} ({status})")
        self.status = status


class ServerMissing(ToxiproxyError):
    """None is installed; the message says how to get one."""
