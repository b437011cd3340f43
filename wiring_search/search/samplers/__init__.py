from wiring_search.search.samplers.contract import Sampler
from wiring_search.search.samplers.evolution_sampler import EvolutionSampler
from wiring_search.search.samplers.optuna_sampler import OptunaSampler
from wiring_search.search_spaces import Space
from wiring_search.store.config import StudyConfig


def sampler_of(config: StudyConfig, space: Space) -> Sampler:
    """The sampler that the study chose."""
    if config.sampler == "evolution":
        return EvolutionSampler(space, config.seed)
    return OptunaSampler(config.sampler, space, len(config.objectives), config.seed, config.cut_as)
