"""Settings by environment: ``dev`` for a newcomer, ``test`` for pytest, ``prod`` for operators."""
