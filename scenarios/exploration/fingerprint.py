"""What kind of history this was: a cheap mark of the states it went through.

Two episodes with the same fingerprint went the same ways, each perhaps more often: which
operation followed on which, for one ticket and for one actor, how each ended and with which
status. Times, numbers and payloads do not count.
"""

from __future__ import annotations

from hashlib import blake2b

from scenarios.history import History, Op

ERROR_WORDS_MAX = 3
"""Of an error only the first words tell its kind."""


def fingerprint(history: History) -> str:
    """Sixteen hexadecimal digits."""
    ways: set[tuple[str, str]] = set()
    last: dict[object, str] = {}
    for op in history.ops:
        step = _step(op)
        about = op.ticket if op.ticket is not None else op.process.partition("/")[0]
        ways.add((last.get(about, ""), step))
        last[about] = step
    told = "\n".join(sorted(f"{before}>{after}" for before, after in ways))
    return blake2b(told.encode(), digest_size=8).hexdigest()


def _step(op: Op) -> str:
    kind = op.process.partition("/")[0]
    status = op.get("status")
    error = " ".join(op.error.split()[:ERROR_WORDS_MAX]) if op.error else ""
    return f"{kind} {op.type} {op.f} {status if isinstance(status, int) else ''} {error}"
