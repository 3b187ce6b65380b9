"""The conventional way to do the same jobs on the same tables: fair and working, and no part of the product."""

QUOTES_GROUP = "bench-quotes"
