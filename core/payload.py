"""A trade as the body of POST /dtms/trade/enable."""

from __future__ import annotations

from core.trade import Trade


def enable_payload(trade: Trade) -> dict[str, object]:
    """The wire's names: the price is called `entry`; `strategy_type` never goes to DTMS."""
    return {
        "ticket": trade.ticket,
        "symbol": trade.symbol,
        "direction": trade.direction.value,
        "entry": trade.entry,
        "volume": trade.volume,
        "stop_loss": trade.stop_loss,
        "take_profit": trade.take_profit,
    }
