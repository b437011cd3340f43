"""Which small, sparse, liquid wiring is enough for my task?

Importing this package loads neither torch nor ray; import what you need from its modules: `wiring_search.wiring`,
`wiring_search.topologies`, `wiring_search.network`, `wiring_search.pack`, `wiring_search.study` …
"""

__version__ = "0.2.0"
