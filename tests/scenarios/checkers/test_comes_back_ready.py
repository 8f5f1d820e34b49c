from __future__ import annotations

from scenarios.checkers import judge
from scenarios.checkers.comes_back_ready import comes_back_ready
from scenarios.verdict import Unknown, Valid

HEALED = "3s world ok phase healed\n"


def test_whoever_is_ready_again_has_come_back(history):
    assert comes_back_ready(history("1s world ok ready dtms\n" + HEALED)) == Valid()


def test_who_never_gets_ready_has_not(history):
    told = history(
        '23s world ok not-ready {"actor": "dtms", "why": "dtms was not ready within 20 s"}\n'
        + HEALED.replace("3s", "23s")
    )
    verdict = comes_back_ready(told)
    assert (verdict.why, verdict.evidence) == (
        "after healing dtms was not ready within 20 s",
        (1,),
    )


def test_each_is_told(history):
    told = history(
        '23s world ok not-ready {"actor": "dtms", "why": "dtms ended before it was ready."}\n'
        '43s world ok not-ready {"actor": "bot"}\n' + HEALED.replace("3s", "43s")
    )
    verdict = comes_back_ready(told)
    assert verdict.why == "after healing dtms ended before it was ready. (and 1 more)"
    assert verdict.evidence == (1, 2)


def test_without_healing_nothing_is_known(history):
    assert comes_back_ready(history("1s bot/0 invoke register 1001")) == Unknown(
        "the history does not say when faults were healed"
    )
    assert judge(history(""), ["comes_back_ready"])["comes_back_ready"] != Valid()
