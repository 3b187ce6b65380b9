"""Compile the Expert Advisors with g++ and run them in a simulated terminal: MetaTrader itself cannot run in a test."""
