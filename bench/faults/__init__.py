"""The kill matrix and the faults: real processes that die, stop and lose their servers while orders go on."""
