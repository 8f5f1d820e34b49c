"""What bounds the fault proxy."""

from __future__ import annotations

from typing import Final

CONNECTIONS_MAX: Final = 1000
"""Open connections on one link; further ones are reset as soon as they are accepted."""
BACKLOG: Final = 256
"""Connections on one link that wait to be accepted."""
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A larger request or answer is carried as bytes, unread: no rule applies to it."""
BUFFER_BYTES_MAX: Final = 256 * 1024
"""What one direction of a connection holds back before its source is held up."""
PIPELINED_MAX: Final = 16
"""Requests that wait on one connection for the answer to the one before."""
CONNECT_S_MAX: Final = 10.0
"""How long reaching the server may take."""
REFUSAL_GRACE_S: Final = 0.02
"""How long a client whose server cannot be reached has to say what it wanted, so that the tap
learns of it, before its connection ends."""
LINGER_S_MAX: Final = 30.0
"""How long an answer is waited for after the client has gone."""
HANG_S_MAX: Final = 300.0
"""How long a connection on which nothing ever comes stays open."""
COPY_S_MAX: Final = 30.0
"""How long the extra delivery of a duplicated request may take."""
CLOSE_S_MAX: Final = 5.0
"""How long the sockets of a link may take to close once they were reset."""
TICK_S: Final = 0.01
"""The finest step in which slow bytes are delivered."""
