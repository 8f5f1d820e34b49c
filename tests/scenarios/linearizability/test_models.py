"""Each model by itself: what an operation makes of a state, and what cannot be."""

from __future__ import annotations

import pytest

from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN
from scenarios.linearizability.models import MODELS

THERE, OTHER, CLOSED, ANY = ("a", "open"), ("b", "open"), ("a", "closed"), (None, "open")


@pytest.mark.parametrize(
    ("state", "f", "asked", "outcome", "after"),
    [
        ("absent", "enable", "a", "new", THERE),
        ("absent", "enable", "a", "accepted", THERE),
        ("absent", "enable", "a", UNKNOWN, THERE),
        ("absent", "enable", "a", "already", IMPOSSIBLE),
        ("absent", "enable", "a", "conflict", IMPOSSIBLE),
        (THERE, "enable", "a", "new", IMPOSSIBLE),
        (THERE, "enable", "a", "already", THERE),
        (THERE, "enable", "a", "accepted", THERE),
        (THERE, "enable", "a", "conflict", IMPOSSIBLE),
        (THERE, "enable", "b", "conflict", THERE),
        (THERE, "enable", "b", "already", IMPOSSIBLE),
        (THERE, "enable", "b", UNKNOWN, THERE),
        (CLOSED, "enable", "a", "already", CLOSED),
        (CLOSED, "enable", "a", "new", IMPOSSIBLE),
        (ANY, "enable", "a", "already", ANY),
        (ANY, "enable", "a", "conflict", ANY),
        (ANY, "enable", "a", "new", IMPOSSIBLE),
        ("absent", "lookup", None, "absent", "absent"),
        ("absent", "lookup", None, THERE, IMPOSSIBLE),
        (THERE, "lookup", None, "absent", IMPOSSIBLE),
        (THERE, "lookup", None, THERE, THERE),
        (THERE, "lookup", None, OTHER, IMPOSSIBLE),
        (THERE, "lookup", None, ANY, THERE),
        (THERE, "lookup", None, CLOSED, IMPOSSIBLE),
        (ANY, "lookup", None, OTHER, ANY),
        ("absent", "close", None, "absent", "absent"),
        ("absent", "close", None, "closed", IMPOSSIBLE),
        ("absent", "close", None, UNKNOWN, "absent"),
        (THERE, "close", None, "closed", CLOSED),
        (THERE, "close", None, UNKNOWN, CLOSED),
        (THERE, "close", None, "absent", IMPOSSIBLE),
        (CLOSED, "close", None, "closed", CLOSED),
        ("absent", "restore", "a", UNKNOWN, THERE),
        (THERE, "restore", "b", UNKNOWN, OTHER),
        (THERE, "restore", None, UNKNOWN, ANY),
        (CLOSED, "restore", "a", UNKNOWN, CLOSED),
        (CLOSED, "clean-up", None, UNKNOWN, "absent"),
        (THERE, "clean-up", None, UNKNOWN, THERE),
        (THERE, "forget", None, UNKNOWN, "absent"),
    ],
)
def test_a_ticket(state, f, asked, outcome, after):
    assert MODELS["registration"].step(state, f, asked, outcome) == after


@pytest.mark.parametrize(
    ("state", "f", "asked", "outcome", "after"),
    [
        (1, "read", None, 1, 1),
        (1, "read", None, 2, IMPOSSIBLE),
        (1, "write", 2, None, 2),
        (1, "cas", (1, 2), True, 2),
        (1, "cas", (3, 2), True, IMPOSSIBLE),
        (1, "cas", (3, 2), False, 1),
        (1, "cas", (1, 2), False, IMPOSSIBLE),
        (1, "cas", (1, 2), UNKNOWN, 2),
        (1, "cas", (3, 2), UNKNOWN, 1),
    ],
)
def test_a_register(state, f, asked, outcome, after):
    assert MODELS["cas-register"].step(state, f, asked, outcome) == after


@pytest.mark.parametrize(
    ("f", "asked", "outcome", "after"),
    [
        ("add", 2, None, frozenset({1, 2})),
        ("add", 1, None, frozenset({1})),
        ("read", None, frozenset({1}), frozenset({1})),
        ("read", None, frozenset(), IMPOSSIBLE),
    ],
)
def test_a_set(f, asked, outcome, after):
    assert MODELS["set"].step(frozenset({1}), f, asked, outcome) == after
