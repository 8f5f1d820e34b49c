"""What scenarios inflict can be written down and read back."""

from __future__ import annotations

import json
from random import Random

import pytest

from chaos.notation import decode_schedule, encode_schedule
from scenarios.suites import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", range(3))
def test_the_faults_of_every_scenario_come_back_as_they_were(name: str, seed: int) -> None:
    faults = SCENARIOS[name].faults(Random(seed))
    assert decode_schedule(json.loads(json.dumps(encode_schedule(faults)))) == faults
