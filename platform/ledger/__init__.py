"""Accounts and transfers: the only code that moves money."""
