"""Operators' pages about the bridge."""

from __future__ import annotations

from ea import keys_admin, signals_admin

__all__ = ["keys_admin", "signals_admin"]
