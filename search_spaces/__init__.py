"""Search spaces: what may vary, within which bounds, and what must hold.

A space is a preset by name, or a user's TOML file.
"""

import difflib
from pathlib import Path

from wiring_search.search_spaces import liquid, ncp
from wiring_search.search_spaces.dimensions import Choice, FloatRange, IntRange
from wiring_search.search_spaces.space import Infeasible, Space
from wiring_search.search_spaces.toml_space import read_space

__all__ = ["SPACES", "Choice", "FloatRange", "Infeasible", "IntRange", "Space", "load"]

SPACES: dict[str, Space] = {
    "small": ncp.small,
    "default": ncp.default,
    "wide": ncp.wide,
    "liquid": liquid.liquid,
}


def load(name: str) -> Space:
    """Return a search space.

    Args:
        name: The name of a preset in `SPACES`, or the path of a TOML file.

    Raises:
        ValueError: The name is unknown, or the file is faulty.
    """
    if name in SPACES:
        return SPACES[name]
    if name.endswith(".toml"):
        return read_space(Path(name))
    near = difflib.get_close_matches(name, SPACES, n=1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    else:
        hint = f"presets are {', '.join(SPACES)}; a space in a file is a path that ends in .toml"
    raise ValueError(f"no space is called {name!r}; {hint}")
