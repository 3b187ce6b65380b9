"""The figures of the platform beside their limits and their conventional twins."""
