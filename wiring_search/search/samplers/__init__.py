"""The samplers of a study, by name.

To add a sampler, write a class that keeps the contract (`contract.Sampler`) and add an entry to
SAMPLERS. A study can also name a sampler that is not in the table: one in the table SAMPLERS of its
extension, or any sampler of Optuna or OptunaHub by its import path, such as
`optuna.samplers:NSGAIISampler` or `optunahub:samplers/auto_sampler`.
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

    Attributes:
        summary: One sentence for help and documentation.
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
    """Check that the study's sampler exists. One that is not built in is also tried out.

    Raises:
        ValueError: No sampler has this name; or one that is not built in cannot handle the study's
            objectives or its space.
    """
    kind = _kind_of(config)
    if config.sampler not in SAMPLERS:
        from wiring_search.search.samplers.imported import rehearse

        rehearse(config, kind.make)


def sampler_of(config: "StudyConfig", space: "Space") -> "Sampler":
    """Make the study's sampler.

    Raises:
        ValueError: No sampler has this name, or it cannot be imported.
    """
    return _kind_of(config).make(config, space)


def _kind_of(config: "StudyConfig") -> SamplerKind:
    """The sampler that the study names: of an extension, built in, or by its import path."""
    from wiring_search.store.extension_tables import EXTENSION_SAMPLERS

    name = config.sampler
    config.load_extension()
    if name in EXTENSION_SAMPLERS and name in SAMPLERS:
        raise ValueError(f"sampler {name!r} is built in; give that of the extension another name")
    if name in SAMPLERS:
        return SAMPLERS[name]
    if name in EXTENSION_SAMPLERS or ":" in name:
        from wiring_search.search.samplers.imported import class_at, made_by

        return SamplerKind("", made_by(EXTENSION_SAMPLERS.get(name) or class_at(name)))
    near = difflib.get_close_matches(name, (*SAMPLERS, *EXTENSION_SAMPLERS), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"sampler is {name!r}; {hint}known: {', '.join((*SAMPLERS, *EXTENSION_SAMPLERS))}, "
        "or an Optuna sampler as MODULE:CLASS or optunahub:NAME"
    )
