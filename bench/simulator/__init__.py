"""A seeded simulator of the pure core: one integer decides a run, and replays it."""
