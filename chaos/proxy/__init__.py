"""The embedded fault proxy: real TCP and HTTP/1.1 faults between real processes."""

from chaos.proxy.port import Accept, Port, TcpPort
from chaos.proxy.proxy import FaultProxy
from chaos.proxy.tap import Answer, Exchange, Outcome, Tap

__all__ = ["Accept", "Answer", "Exchange", "FaultProxy", "Outcome", "Port", "Tap", "TcpPort"]
