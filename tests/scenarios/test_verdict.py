from __future__ import annotations

import pytest

from scenarios.verdict import Invalid, Unknown, Valid, combine, conclude, severity


def test_invalid_outweighs_unknown_and_unknown_outweighs_valid():
    assert severity(Invalid("x")) > severity(Unknown("y")) > severity(Valid())


@pytest.mark.parametrize(
    ("verdicts", "combined"),
    [
        ([], Unknown("no checker ran")),
        ([Valid(), Valid()], Valid()),
        ([Valid(), Unknown("y"), Valid()], Unknown("y")),
        ([Unknown("y"), Invalid("x"), Invalid("z")], Invalid("x")),
    ],
)
def test_combined_is_the_gravest_and_nothing_checked_proves_nothing(verdicts, combined):
    assert combine(iter(verdicts)) == combined


def test_conclude_keeps_the_evidence_of_every_violation():
    found = [Valid(), Invalid("x", (1, 2), (1001,)), Unknown("y"), Invalid("z", (2, 3), (1002,))]
    assert conclude(found) == Invalid("x (and 1 more)", (1, 2, 3), (1001, 1002))


def test_one_violation_is_told_as_it_is():
    assert conclude([Invalid("x", (1,)), Valid()]) == Invalid("x", (1,))


def test_conclude_without_violations_is_the_gravest():
    assert conclude([Valid(), Unknown("y")]) == Unknown("y")


def test_a_valid_verdict_needs_no_reason():
    assert Valid().why == ""
