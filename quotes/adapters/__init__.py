"""Upstream connections: each adapter turns one source's packets into raw ticks and signs of life."""
