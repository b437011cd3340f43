"""A study's front in any objectives, how sure it is, and its picture."""

from wiring_search.fronts.enough import Enough, enough
from wiring_search.fronts.found import Front, front_of
from wiring_search.fronts.picture import draw_front
from wiring_search.fronts.trainings import trainings

__all__ = ["Enough", "Front", "draw_front", "enough", "front_of", "trainings"]
