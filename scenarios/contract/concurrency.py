"""Registrations that arrive together."""

from __future__ import annotations

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, expect, require
from scenarios.contract.registrations import good, is_kept, is_told

TOGETHER = 20
ROUNDS = 5


def identical(bench: Bench) -> None:
    server = bench.shared()
    for _round in range(ROUNDS):
        payload = good(bench.ticket())
        answers = server.enable_together([payload] * TOGETHER)
        told = [expect(answer, 200).get("already_registered") for answer in answers]
        first = told.count(False)
        require(
            first == 1 and told.count(True) == TOGETHER - 1,
            f"{first} of {TOGETHER} identical requests were told already_registered false, "
            "and one must be",
            answers[0],
        )


def different(bench: Bench) -> None:
    server = bench.shared()
    for _round in range(ROUNDS):
        ticket = bench.ticket()
        payloads = [good(ticket, volume=(n + 1) / 10) for n in range(TOGETHER)]
        answers = server.enable_together(payloads)
        won = [n for n, answer in enumerate(answers) if answer.status == 200]
        require(
            len(won) == 1,
            f"{len(won)} of {TOGETHER} different payloads for one ticket were taken, and one must",
            answers[0],
        )
        for n, answer in enumerate(answers):
            if n != won[0]:
                expect(answer, 409)
        is_kept(server, payloads[won[0]])


def distinct(bench: Bench) -> None:
    server = bench.shared()
    payloads = [good(bench.ticket(), volume=(n + 1) / 10) for n in range(TOGETHER * 2)]
    for payload, answer in zip(payloads, server.enable_together(payloads), strict=True):
        body = expect(answer, 200)
        require(body.get("already_registered") is False, "a new ticket is called known", answer)
        is_told(answer, payload)
    for payload in payloads:
        is_kept(server, payload)


_TOPIC = "concurrency"
CHECKS = (
    Check(
        "together-identical",
        "MUST",
        _TOPIC,
        "Of N identical requests for one ticket exactly one is told already_registered false.",
        identical,
    ),
    Check(
        "together-different",
        "MUST",
        _TOPIC,
        "Of N different payloads for one ticket one wins, and the rest get 409.",
        different,
    ),
    Check(
        "together-distinct",
        "MUST",
        _TOPIC,
        "Many tickets at the same time do not mix: each is new, and has its own data.",
        distinct,
    ),
)
