"""People, tokens, log-in and the admin."""
