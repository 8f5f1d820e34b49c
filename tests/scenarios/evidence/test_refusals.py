from __future__ import annotations

import pytest

from scenarios.evidence.refusals import Refusals

TROUBLE = '{"fault": "disk-trouble", "actor": "bot", "how": "full"}'
FAILED = f"1s nemesis ok inflict {TROUBLE}\n"
HEALED = f"nemesis ok undo {TROUBLE}\n"
ASKED = "2s bot/0 invoke register 1001\n"
NOT_ACCEPTED = '3s bot/0 fail register {"ticket": 1001, "reason": "not accepted: ENOSPC"}\n'


@pytest.mark.parametrize(
    "text",
    [
        FAILED + ASKED + NOT_ACCEPTED + "4s " + HEALED,
        FAILED + ASKED + NOT_ACCEPTED,
        FAILED + ASKED + "2.5s " + HEALED + NOT_ACCEPTED,
        ASKED + FAILED + NOT_ACCEPTED,
    ],
)
def test_a_client_whose_disk_failed_may_refuse(history, text):
    assert Refusals.of(history(text)).only(1001)


@pytest.mark.parametrize(
    "text",
    [
        ASKED + NOT_ACCEPTED,
        FAILED + "1.5s " + HEALED + ASKED + NOT_ACCEPTED,
        ASKED + NOT_ACCEPTED + FAILED,
        FAILED.replace("bot", "desktop") + ASKED + NOT_ACCEPTED,
        FAILED + ASKED + NOT_ACCEPTED.replace("not accepted", "gave up"),
        FAILED + ASKED + "3s bot/0 info register 1001\n",
        FAILED + ASKED + NOT_ACCEPTED + "4s bot/1 invoke register 1001\n",
        FAILED,
    ],
)
def test_anybody_else_who_gives_up_has_refused_nothing(history, text):
    assert not Refusals.of(history(text)).only(1001)
