from simulator.ledger import Ledger, registration_of
from simulator.request import EnableRequest


def test_only_closed_registrations_are_forgotten() -> None:
    ledger = Ledger()
    ledger.put(registration_of(EnableRequest(1, "X", "BUY", 2.0, 1.0), "now"))
    ledger.forget([1, 2])
    assert ledger.get(1) is not None
    assert ledger.active_count == 1
