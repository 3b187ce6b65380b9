"""The soak: the whole platform under load and faults for minutes or an hour, then every book is checked."""
