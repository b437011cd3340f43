"""Scores: what a candidate is worth besides its error. Each is a named number with a unit and a
direction.

A measure is a plain function of a pack. It runs the fused kernel over all candidates at once and
returns one number per candidate. So it serves fresh networks by the thousand (zero-training
proxies) and trained ones alike.
"""
