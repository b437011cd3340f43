"""The work of each command, one file per command; `wiring_search.run` exports it."""
