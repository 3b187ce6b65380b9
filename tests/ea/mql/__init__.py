"""Expert Advisors, compiled and run in a simulated terminal against a server that notes every breach of the wire."""
