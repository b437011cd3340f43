"""The samplers of a study, by name.

To add a sampler, write a class that keeps the contract (`contract.Sampler`) and add an entry to
SAMPLERS. A study can also name a sampler that is not in the table: any sampler of Optuna or
OptunaHub by its import path, such as `optuna.samplers:CmaEsSampler` or
`optunahub:samplers/auto_sampler`.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wiring_search.search.samplers.contract import Sampler
    from wiring_search.search_spaces import Space
    from wiring_search.store.config import StudyConfig


@dataclass(frozen=True)
class SamplerKind:
    """One way to propose candidates.

    Args:
        summary: one sentence for help and documentation.
        make: (config, space) -> a new sampler for that study.
    """

    summary: str
    make: "Callable[[StudyConfig, Space], Sampler]"


def _evolution(config: "StudyConfig", space: "Space") -> "Sampler":
    from wiring_search.search.samplers.evolution_sampler import EvolutionSampler

    return EvolutionSampler(space, config.seed)


def _optuna(config: "StudyConfig", space: "Space") -> "Sampler":
    from wiring_search.search.samplers.optuna_sampler import BUILT_IN, OptunaSampler

    kind = BUILT_IN[config.sampler]
    return OptunaSampler(kind, space, len(config.objectives), config.seed, config.cut_as)


SAMPLERS: dict[str, SamplerKind] = {
    "tpe": SamplerKind(
        "tree-structured Parzen estimator: learns from all finished trials", _optuna
    ),
    "nsga2": SamplerKind("NSGA-II: evolution by non-dominated rank and crowding", _optuna),
    "nsga3": SamplerKind(
        "NSGA-III: evolution towards reference points, for three objectives and more", _optuna
    ),
    "gp": SamplerKind("Gaussian process: for few, expensive trials", _optuna),
    "qmc": SamplerKind("quasi-random: covers the space evenly", _optuna),
    "evolution": SamplerKind(
        "steady-state evolution: wirings of the Pareto front mutate and cross", _evolution
    ),
    "random": SamplerKind("random points: compare every other sampler with it", _optuna),
}


def check(config: "StudyConfig") -> None:
    """Check that the study's sampler exists. One given by its import path is also tried out.

    Raises:
        ValueError: no sampler has this name; or an imported one cannot handle the study's
            objectives or its space.
    """
    if config.sampler in SAMPLERS:
        return
    if ":" in config.sampler:
        from wiring_search.search.samplers.imported import rehearse

        rehearse(config)
        return
    near = difflib.get_close_matches(config.sampler, SAMPLERS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"sampler is {config.sampler!r}; {hint}known: {', '.join(SAMPLERS)}, "
        "or an Optuna sampler as MODULE:CLASS or optunahub:NAME"
    )


def sampler_of(config: "StudyConfig", space: "Space") -> "Sampler":
    """Make the study's sampler.

    Raises:
        ValueError: no sampler has this name, or it cannot be imported.
    """
    if config.sampler not in SAMPLERS and ":" in config.sampler:
        from wiring_search.search.samplers.imported import imported_sampler

        return imported_sampler(config, space)
    if config.sampler not in SAMPLERS:
        check(config)
    return SAMPLERS[config.sampler].make(config, space)
