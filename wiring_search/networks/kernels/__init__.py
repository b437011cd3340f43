"""Kernels: a pack of liquid networks through a sequence, forward and backward, three times under
one contract.

`layout` says how a pack lies in flat arrays; `reference` is the truth in plain torch; `cpu` is the
fused numba kernel. Nothing here imports anything of the project above this layer, so the kernels
run and are timed alone.
"""
