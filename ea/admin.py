"""Operators' pages about the bridge."""

from __future__ import annotations

from ea import hook_admin, keys_admin, risk_admin, signals_admin

__all__ = ["hook_admin", "keys_admin", "risk_admin", "signals_admin"]
