"""Several studies of one task, compared: which way of searching finds the better front, and can that be concluded at all?"""

from wiring_search.comparing.compared import Comparison, compare
from wiring_search.comparing.studies import Method, Study

__all__ = ["Comparison", "Method", "Study", "compare"]
