"""Documents, levels and the review queue; nothing is built here yet."""
