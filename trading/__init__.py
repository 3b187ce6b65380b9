"""Order admission and placement."""
