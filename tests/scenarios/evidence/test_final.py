from __future__ import annotations

import pytest

from scenarios.evidence.final import Final


@pytest.mark.parametrize(
    ("held", "presence"),
    [
        ('{"state": "CLOSED"}', "closed"),
        ('{"trade_info": {"state": "CLOSED"}}', "closed"),
        ('{"state": "HEALTHY"}', "active"),
        ('{"state": "HEALTHY", "trade_info": {"protection_active": false}}', "idle"),
        ("null", "absent"),
        ("[]", "unreadable"),
    ],
)
def test_the_state_may_stand_at_the_top_or_in_trade_info(history, held, presence):
    told = history(f'9s auditor ok read-all {{"1001": {held}}}')
    assert Final.of(told).presence(1001) == presence


def test_what_nobody_read_is_unread_and_keys_that_are_no_tickets_are_left_out(history):
    final = Final.of(history('9s auditor ok read-all {"x": null, "\u00b2": null}'))
    assert (final.presence(1001), dict(final.trades)) == ("unread", {})
