"""The commands, one file each. `wiring_search.cli` finds them here; no list names them."""
