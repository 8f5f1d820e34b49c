from typing import get_args

from core.outbox import IntentState
from core.outcome import Closed, Conflict, Outcome, Pending, Registered, Rejected


def test_only_pending_is_gone_on_with() -> None:
    assert {kind for kind in get_args(Outcome) if not kind.final} == {Pending}


def test_the_words_are_those_an_intent_is_kept_under() -> None:
    assert {kind.word for kind in get_args(Outcome)} == set(get_args(IntentState))


def test_every_outcome_is_about_one_ticket() -> None:
    outcomes = (Registered(7), Rejected(7, "no"), Conflict(7, "no"), Closed(7), Pending(7, "no"))
    assert {outcome.ticket for outcome in outcomes} == {7}


def test_nothing_is_called_verified_or_old_unless_it_is_said() -> None:
    assert (Registered(7).already, Registered(7).verified) == (False, False)
