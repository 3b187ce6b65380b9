"""The terminal in a real browser: what a frame costs at 500 ticks a second, what a session leaves, and its pictures."""
