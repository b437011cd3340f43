"""Samplers by import path: any sampler of Optuna, of OptunaHub, or of an installed package.

    optuna.samplers:NSGAIISampler         a class in a module
    optunahub:samplers/auto_sampler       the sampler of an OptunaHub package
    optunahub:samplers/some_package:Name  one of several

As with the built-in samplers, a new instance is made for every ask. If the class takes a `seed`, it
gets one that depends on the study's seed and the trial's number alone, so that a resumed study asks
for the same points. The instance sees the trials; whatever it kept in memory is gone with it.
"""

import importlib
import inspect
import json
import random
from collections.abc import Callable
from typing import Any, TypeGuard

import optuna

from wiring_search.search.samplers.contract import Sampler
from wiring_search.search.samplers.optuna_sampler import OptunaKind, OptunaSampler
from wiring_search.search_spaces import Infeasible, Space
from wiring_search.store.config import StudyConfig

# Trials of a rehearsal: more than samplers usually draw at random before they begin to model.
_REHEARSED = 14
_HUB = "optunahub"


def made_by(entry: Callable[..., Any]) -> Callable[[StudyConfig, Space], Sampler]:
    """How a study makes its sampler from a class of Optuna's samplers, or from a function that
    makes one already: (config, space) -> Sampler."""
    if not _is_sampler(entry):
        return entry

    def make(config: StudyConfig, space: Space) -> OptunaSampler:
        objectives = len(config.objectives)
        return OptunaSampler(_kind_of(entry), space, objectives, config.seed, config.cut_as)

    return make


def rehearse(config: StudyConfig, make: Callable[[StudyConfig, Space], Sampler]) -> None:
    """Try a sampler out on the study's space, with made-up scores and failures.

    Raises:
        ValueError: It raises an error with so many objectives or in this space, gives points of
            another space, or keeps values that a store cannot hold.
    """
    space = Space.from_json(config.space)
    try:
        _ask_and_tell(make(config, space), space, config)
    except Exception as cause:  # foreign code may raise anything
        count = len(config.objectives)
        kind = "conditional" if space.conditional else "flat"
        raise ValueError(
            f"sampler {config.sampler!r} does not work with {count} "
            f"objective{'s' if count > 1 else ''} in a {kind} space: "
            f"{type(cause).__name__}: {str(cause).partition(chr(10))[0].rstrip('.')}; "
            "choose another sampler"
            + (", or one objective" if count > 1 else "")
            + (", or a space without conditions" if space.conditional else "")
        ) from cause


def _ask_and_tell(sampler: Sampler, space: Space, config: StudyConfig) -> None:
    rng = random.Random(0)
    for number in range(_REHEARSED):
        proposal = sampler.ask(number)
        json.dumps(proposal.attrs)
        scores = [rng.random() for _ in config.objectives]
        try:
            candidate = proposal.candidate or space.build(proposal.point, config.seed)
        except Infeasible:
            sampler.tell(number, None)
            continue
        sampler.note(number, candidate)
        sampler.tell(number, None if number % 5 == 4 else scores)
    json.dumps(sampler.state())


def class_at(path: str) -> type[optuna.samplers.BaseSampler]:
    """The sampler class at an import path.

    Raises:
        ValueError: It cannot be imported, or is no sampler of Optuna.
    """
    module_name, _, name = path.partition(":")
    if module_name == _HUB:
        package, _, name = name.partition(":")
        return _class_on_hub(path, package, name)
    try:
        module = importlib.import_module(module_name)
    except ImportError as cause:
        raise ValueError(
            f"sampler {path!r} cannot be imported: {cause}; give MODULE:CLASS of an installed "
            "package, such as optuna.samplers:NSGAIISampler"
        ) from cause
    found = getattr(module, name, None)
    if not _is_sampler(found):
        known = [key for key, value in vars(module).items() if _is_sampler(value)]
        raise ValueError(
            f"sampler {path!r} is no sampler of Optuna; {module_name} has "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    return found


def _class_on_hub(path: str, package: str, name: str) -> type[optuna.samplers.BaseSampler]:
    """The sampler class of an OptunaHub package, which is downloaded unless it is cached."""
    try:
        import optunahub
    except ImportError as cause:
        raise ValueError(
            f"sampler {path!r} needs the package optunahub; pip install optunahub"
        ) from cause
    try:
        module = optunahub.load_module(package)
    except Exception as cause:  # network, missing package, missing dependency: foreign code
        raise ValueError(
            f"sampler {path!r} cannot be loaded from OptunaHub: {type(cause).__name__}: {cause}"
        ) from cause
    names = getattr(module, "__all__", None) or list(vars(module))
    found = {key: getattr(module, key) for key in names if _is_sampler(getattr(module, key, None))}
    if name in found:
        return found[name]
    if not name and len(found) == 1:
        return next(iter(found.values()))
    raise ValueError(
        f"sampler {path!r} is not one class; give optunahub:{package}:CLASS with CLASS out of "
        f"{', '.join(sorted(found)) or 'none'}"
    )


def _is_sampler(value: object) -> TypeGuard[type[optuna.samplers.BaseSampler]]:
    return isinstance(value, type) and issubclass(value, optuna.samplers.BaseSampler)


def _kind_of(cls: type[optuna.samplers.BaseSampler]) -> OptunaKind:
    """How to make instances of the class: seeded, and without a warning for each dimension that is
    sampled independently."""
    parameters = inspect.signature(cls).parameters
    required = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name != "seed"
    ]
    if required:
        raise TypeError(f"{cls.__name__} needs the arguments {', '.join(required)}")

    def make(seed: int, study_seed: int, conditional: bool) -> optuna.samplers.BaseSampler:
        settings: dict[str, object] = {}
        if "seed" in parameters:
            settings["seed"] = seed
        if "warn_independent_sampling" in parameters:
            settings["warn_independent_sampling"] = False
        return cls(**settings)

    return OptunaKind(make, after_trial=True)
