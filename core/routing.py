"""Who shall manage a trade. Never both, never nobody."""

from __future__ import annotations

from enum import StrEnum, auto

from core.trade import Trade


class Route(StrEnum):
    """Where a trade is taken to first."""

    UNIVERSAL_MANAGER = auto()
    LOCAL_ENGINE = auto()
    DTMS_API = auto()


class Manager(StrEnum):
    """Who manages a trade, in the registry's words."""

    UNIVERSAL = "universal_sl_tp_manager"
    DTMS = "dtms_manager"
    INTELLIGENT_EXIT = "intelligent_exit_manager"
    LEGACY_EXIT = "legacy_exit_manager"
    NOBODY = ""


DEFENSIVE_STATES = frozenset({"HEDGED", "WARNING_L2"})


def route(trade: Trade, *, has_local_engine: bool) -> Route:
    """A trade that carries a strategy is the Universal Manager's, any other DTMS's."""
    if trade.strategy_type is not None:
        return Route.UNIVERSAL_MANAGER
    return Route.LOCAL_ENGINE if has_local_engine else Route.DTMS_API


def prevailing(claims: frozenset[Manager], dtms_state: str) -> Manager:
    """Who keeps a trade that several claim; `dtms_state` is the state DTMS holds it in."""
    defensive = dtms_state in DEFENSIVE_STATES
    ranks = (
        *((Manager.DTMS,) if defensive else ()),
        Manager.UNIVERSAL,
        Manager.DTMS,
        Manager.INTELLIGENT_EXIT,
        Manager.LEGACY_EXIT,
    )
    return next((manager for manager in ranks if manager in claims), Manager.NOBODY)
