"""Plans of the hot statements, on a database that is large enough for them to matter."""
