"""Ground floor: money, clock, ids, errors, database and HTTP conventions. Knows no domain app."""
