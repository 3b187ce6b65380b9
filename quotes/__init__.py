"""Symbols, ticks and candles, the quote parser and its feeds, and the stream of quotes."""
