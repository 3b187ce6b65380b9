"""Registration, rebuy, standings and prizes; nothing is built here yet."""
