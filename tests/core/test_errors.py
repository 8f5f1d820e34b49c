import pytest

from core.errors import NotSent, OutboxFailed, RegistrationError, TradeRefused, Unanswered


@pytest.mark.parametrize("error", [TradeRefused, NotSent, OutboxFailed])
def test_what_never_left_is_definite(error: type[RegistrationError]) -> None:
    assert error.definite


def test_what_was_sent_and_not_answered_may_have_happened() -> None:
    assert not Unanswered.definite


def test_each_is_a_registration_error_and_says_if_it_is_definite() -> None:
    known = {TradeRefused, NotSent, OutboxFailed, Unanswered}
    assert known <= set(RegistrationError.__subclasses__())


def test_a_refusal_names_field_and_reason() -> None:
    refusal = TradeRefused("entry", "is missing")
    assert (refusal.field, refusal.reason, str(refusal)) == (
        "entry",
        "is missing",
        "entry: is missing",
    )
