"""The log of the bridge, played again from append-only rows alone; nothing is placed and nothing written."""
