"""Dynamics of a unit, one file a neuron: its equation, its parameters with their initial ranges, one solver step in
plain torch."""
