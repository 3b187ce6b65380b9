"""People and programs that may act: users, bans, API tokens, the trail of their access."""
