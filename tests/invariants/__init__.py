"""Every promise is a check, and every check is shown to turn red: mutants of the real write paths."""
