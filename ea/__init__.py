"""The bridge for MetaTrader Expert Advisors: signed signals are logged, acknowledged and become orders, once each."""
