"""How long each checker takes to judge a history of 50,000 operations, and the search for an order
of 100,000 registrations."""

from __future__ import annotations

import time

from loadtests.bench import linearizability
from loadtests.bench.figure import Figure
from scenarios.checkers import CHECKERS
from scenarios.history import History, Op, OpType

OPERATIONS = 50_000
ENDS: tuple[OpType, ...] = ("ok", "fail", "info")
TERMS = {"symbol": "X", "direction": "BUY", "entry": 2.0, "volume": 1.0}
HEADER = {
    "level": "durable",
    "policy": {
        "retries": 1,
        "base_s": 0.1,
        "factor": 2,
        "cap_s": 1,
        "timeout_s": 1,
        "breaker_threshold": 2,
        "breaker_cooldown_s": 1.5,
    },
    "bounds": {"unprotected_s": 1, "blocked_s": 1, "amplification": 1},
}


def measure() -> tuple[Figure, ...]:
    """The slowest of three shapes for each checker: many tickets with a few sends each, few with
    very many, and one that all is about."""
    histories = (
        _long(OPERATIONS // 13, 4),
        _long(4, OPERATIONS // 8),
        _long(OPERATIONS // 13, 4, distinct=1),
    )
    checkers = (
        Figure(f"judge_50000_{name}", max(_cost_s(name, h) for h in histories), "s CPU", 1.0)
        for name in CHECKERS
    )
    return (*checkers, *linearizability.measure())


def _cost_s(name: str, history: History) -> float:
    fresh = History(history.ops)  # remembers nothing that other checkers read
    fresh.calls("register")
    began = time.process_time()
    CHECKERS[name](fresh)
    return time.process_time() - began


def _long(tickets: int, sends: int, distinct: int = 10**9) -> History:
    """Services that register, fail, retry and are audited; probes and health answers between."""
    rows: list[tuple[str, OpType, str, object]] = [
        ("world", "ok", "episode", HEADER),
        ("world", "ok", "start", {"actor": "dtms"}),
    ]
    rows += [("world", "ok", "start", {"actor": "broker"})]
    for n in range(tickets):
        ticket, service = 1001 + n % distinct, ("bot", "desktop")[n % 2]
        rows.append(("broker", "ok", "execute", {"ticket": ticket, **TERMS}))
        given = {"ticket": ticket, "trade": TERMS, "via": "register"}
        rows.append((f"{service}/{n}", "invoke", "register", given))
        for k in range(sends):
            wire, link = f"wire/{n % 50}", {"link": f"{service}->dtms", "service": service}
            f = ("enable", "health", "lookup")[k % 3]
            rows.append((wire, "invoke", f, {**link, "ticket": ticket, "payload": TERMS}))
            status = 503 if k < sends - 1 else 200
            body = {"success": True, "already_registered": False, "ready": True}
            rows.append((wire, "ok", f, {"status": status, "body": body if status == 200 else {}}))
        rows.append(("auditor/0", "invoke", "health", None))
        rows.append(("auditor/0", "ok", "health", {"status_code": 503, "body": {"ready": False}}))
        ended = ENDS[n % len(ENDS)]
        rows.append((f"{service}/{n}", ended, "register", {"ticket": ticket}))
        if n % 100 == 0:
            rows.append(("world", "ok", "exited", {"actor": "dtms"}))
            rows.append(("world", "ok", "start", {"actor": "dtms"}))
    rows.append(("world", "ok", "phase", {"name": "healed"}))
    held = {"state": "HEALTHY", "trade_info": TERMS}
    rows.append(("auditor", "ok", "read-all", {str(1001 + n): held for n in range(tickets)}))
    return History(tuple(Op(n, n * 1000, p, t, f, v) for n, (p, t, f, v) in enumerate(rows)))
