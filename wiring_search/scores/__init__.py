"""Scores: what a candidate is worth besides its error. Each is a named number with a unit and a
direction.

A measure is a plain function of a pack: it runs the fused kernel over all candidates at once and
gives one number a candidate. So it serves fresh networks by the thousand (zero-training proxies)
and trained ones alike.
"""
