"""Outcome rules by version, the settlement loop, and the audit that recomputes results."""
