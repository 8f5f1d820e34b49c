from core.gate import ReadinessGate


def test_nothing_is_known_at_first() -> None:
    assert not ReadinessGate().is_fresh(0.0)
    assert not ReadinessGate().refused_since(0.0)
    assert ReadinessGate().reason == ""


def test_ready_counts_for_the_cache_time_and_no_longer() -> None:
    gate = ReadinessGate(cache_s=1.5)
    gate.on_ready(10.0)
    assert gate.is_fresh(11.49)
    assert not gate.is_fresh(11.5)


def test_the_usual_cache_time_is_between_one_and_two_seconds() -> None:
    gate = ReadinessGate()
    gate.on_ready(0.0)
    assert gate.is_fresh(1.0)
    assert not gate.is_fresh(2.0)


def test_trouble_ends_what_was_known() -> None:
    gate = ReadinessGate()
    gate.on_ready(10.0)
    gate.on_trouble()
    assert not gate.is_fresh(10.0)


def test_a_refusal_ends_what_was_known_and_is_kept_with_its_reason() -> None:
    gate = ReadinessGate()
    gate.on_ready(10.0)
    gate.on_refusal(10.5, "starting")
    assert not gate.is_fresh(10.5)
    assert gate.reason == "starting"


def test_a_refusal_answers_who_waited_for_it_but_not_who_came_later() -> None:
    gate = ReadinessGate()
    gate.on_refusal(10.0, "starting")
    assert gate.refused_since(9.9)
    assert gate.refused_since(10.0)
    assert not gate.refused_since(10.1)


def test_ready_after_a_refusal_counts() -> None:
    gate = ReadinessGate()
    gate.on_refusal(10.0, "starting")
    gate.on_ready(10.1)
    assert gate.is_fresh(10.2)
