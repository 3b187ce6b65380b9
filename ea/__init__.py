"""The bridge for MetaTrader Expert Advisors; nothing is built here yet."""
