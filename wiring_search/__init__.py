"""Which small, sparse, liquid wiring is enough for my task?

Importing this package loads neither torch nor ray; import what you need from its modules:
`wiring_search.wirings.wiring`, `wiring_search.wirings.topologies`,
`wiring_search.networks.liquid_network`, `wiring_search.training.pack`, `wiring_search.search.study`
…
"""

__version__ = "0.2.0"
