"""Workers: where packs are trained. `pool` is the contract, `inline` the calling process,
`ray_pool` actors on a Ray cluster."""
