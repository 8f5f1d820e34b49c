"""The embedded fault proxy: real TCP and HTTP/1.1 faults between real processes."""

from chaos.proxy.proxy import FaultProxy
from chaos.proxy.tap import Answer, Exchange, Outcome, Tap

__all__ = ["Answer", "Exchange", "FaultProxy", "Outcome", "Tap"]
