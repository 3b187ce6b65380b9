"""The Expert Advisors, compiled and run in a simulated terminal against a server that tells on every breach of the wire."""
