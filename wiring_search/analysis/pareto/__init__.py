"""Pareto analysis of plain numbers. Points are rows of numbers, every one to be small; a row with
NaN or an infinite number is on no front."""

from wiring_search.analysis.pareto.attainment import attainment
from wiring_search.analysis.pareto.certainty import draw_errors, probability_on_front
from wiring_search.analysis.pareto.dominance import is_front, rank
from wiring_search.analysis.pareto.indicators import additive_epsilon, igd_plus, scaled
from wiring_search.analysis.pareto.knees import Knees, knee, knees
from wiring_search.analysis.pareto.volume import hypervolume, hypervolume_course, hypervolume_gain

__all__ = [
    "Knees",
    "additive_epsilon",
    "attainment",
    "draw_errors",
    "hypervolume",
    "hypervolume_course",
    "hypervolume_gain",
    "igd_plus",
    "is_front",
    "knee",
    "knees",
    "probability_on_front",
    "rank",
    "scaled",
]
