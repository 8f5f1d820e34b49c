"""What became of registrations, as elements of a set."""

from __future__ import annotations

import pytest

from scenarios.set_oracle import Elements, elements_of

ADDED = "0.1s wire/0 invoke enable 1001 service=bot\n0.2s wire/0 ok enable 1001 new\n"
TRIED = "0.1s wire/0 invoke enable 1001 service=bot\n0.2s wire/0 info enable 1001 ! lost\n"
THERE, GONE = "9s auditor ok read-all 1001\n", "9s auditor ok read-all 1001:absent\n"


def looked_up(at, answer):
    return f"{at}s wire/5 invoke lookup 1001 service=bot\n{at}s wire/5 ok lookup 1001 {answer}\n"


@pytest.mark.parametrize(
    ("text", "became"),
    [
        (ADDED + THERE, {}),
        (ADDED, {"never_read"}),
        (ADDED + GONE, {"lost"}),
        (TRIED + looked_up(1, "already") + GONE, {"lost", "recovered"}),
        ("0.1s bot invoke register 1001\n0.2s bot ok register 1001\n" + GONE, {"lost"}),
        (ADDED + looked_up(1, 404) + THERE, {"stale"}),
        (ADDED + looked_up(1, 404) + GONE, {"lost"}),
        (looked_up(0.05, 404) + ADDED + THERE, {}),
        (TRIED + THERE, {"recovered", "never_read"}),
        (ADDED + ADDED + THERE, {"duplicated"}),
        (ADDED + "1s bot invoke close 1001\n1s bot ok close 1001\n" + GONE, None),
    ],
)
def test_what_becomes_of_a_registration(history, text, became):
    elements = elements_of(history(text))
    names = ("lost", "stale", "never_read", "recovered", "duplicated")
    found = {name for name in names if getattr(elements, name)}
    assert found == set(became or ())
    assert elements.known == (() if became is None else (1001,))
    assert elements.right is not bool(found & {"lost", "stale", "duplicated"})


def test_what_never_happened_is_nothing(history):
    assert elements_of(history(TRIED + GONE)) == Elements()


def test_it_is_told_in_numbers(history):
    assert str(elements_of(history(ADDED + THERE))) == (
        "1 known, 0 lost, 0 stale, 0 never read, 0 recovered, 0 duplicated"
    )


def test_a_reading_that_began_before_it_was_known_says_nothing(history):
    overlapping = (
        "0.15s wire/5 invoke lookup 1001 service=bot\n"
        + ADDED
        + "0.3s wire/5 ok lookup 1001 404\n"
        + THERE
    )
    assert elements_of(history(overlapping)).stale == ()
