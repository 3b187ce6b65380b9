"""Expert Advisors for MetaTrader 5 and 4, and the kit that tests them."""
