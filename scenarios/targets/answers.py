"""An outcome of the core in the words of the protocol between the lab and its services."""

from __future__ import annotations

from core.outcome import Closed, Outcome, Pending, Registered


def told(outcome: Outcome) -> dict[str, object]:
    """`registered` true, false or null for not known, and why."""
    match outcome:
        case Registered() | Closed():
            return {"registered": True, "detail": outcome.word.lower()}
        case Pending(reason=reason):
            return {"registered": None, "detail": f"pending: {reason}"}
        case _:
            reason = outcome.reason
            return {"registered": False, "detail": f"{outcome.word.lower()}: {reason}"}
