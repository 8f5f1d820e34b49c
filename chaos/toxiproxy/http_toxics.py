"""What Toxiproxy has not: toxics that know requests, as further types of the embedded server.

They are this package's faults on requests, called as everything in that API is: `drop_answer`,
`answer_for`. Attributes are the fault's fields; the toxicity is the share of the requests that it
hits, keyed by request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chaos.fault import describe
from chaos.faults.aim import AimedAtRequests
from chaos.notation import KINDS, decode_fault
from chaos.refusal import refuse_unless

ANY_LINK: Final = "*->*"

HTTP_TYPES: Final[Mapping[str, str]] = {
    name.replace("-", "_"): name
    for name, kind in KINDS.items()
    if issubclass(kind, AimedAtRequests)
}
"""The fault's name, by its type in the API."""

NOT_ATTRIBUTES: Final = ("fault", "link", "probability")


def http_toxic(
    type_: str, attributes: Mapping[str, object], toxicity: float = 1.0
) -> AimedAtRequests:
    """The fault on requests of that type. Raises `ValueError` saying what is wrong."""
    for key in NOT_ATTRIBUTES:
        refuse_unless(key not in attributes, f"{key} is no attribute of {type_}.")
    told = {"fault": HTTP_TYPES[type_], "link": ANY_LINK, "probability": toxicity, **attributes}
    fault = decode_fault(told)
    assert isinstance(fault, AimedAtRequests)
    return fault


def http_attributes_of(fault: AimedAtRequests) -> dict[str, Any]:
    """The attributes that say something."""
    return {key: value for key, value in describe(fault).items() if key not in NOT_ATTRIBUTES}
