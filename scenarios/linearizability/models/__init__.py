"""The specifications there are."""

from collections.abc import Mapping
from types import MappingProxyType

from scenarios.linearizability.model import Model
from scenarios.linearizability.models.growing_set import SET
from scenarios.linearizability.models.register import CAS_REGISTER, REGISTER
from scenarios.linearizability.models.registration import REGISTRATION

MODELS: Mapping[str, Model] = MappingProxyType(
    {model.name: model for model in (REGISTRATION, REGISTER, CAS_REGISTER, SET)}
)
