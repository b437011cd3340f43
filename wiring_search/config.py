"""What defines a study: with the same configuration and seed, the same table comes out, whoever trains and however
often it stops."""

from dataclasses import asdict, dataclass, field
from typing import Any

from wiring_search.tasks.options import TaskOptions

OBJECTIVES = ("error", "synapses", "parameters", "latency_us")
SAMPLERS = {
    "tpe": "tree-structured Parzen estimator: learns from all finished trials",
    "nsga2": "NSGA-II: evolution by non-dominated rank and crowding",
    "nsga3": "NSGA-III: evolution towards spread reference points, for three objectives and more",
    "gp": "Gaussian process: few, expensive trials",
    "qmc": "quasi-random: covers the space evenly",
    "random": "random: the baseline every sampler is compared with",
}


@dataclass(frozen=True)
class StudyConfig:
    """task, task_options: what is learned. space: the search space as plain data (`search_spaces.Space.to_json`).

    trials: candidates to train; infeasible and repeated points do not count. sampler: a name out of SAMPLERS.
    objectives: names out of OBJECTIVES, all minimised. epochs, batch_size: the training budget of each. seed: of
    everything random. pack_size: candidates trained side by side. ahead: packs asked for before the first of them
    must be finished; more let more workers be busy at once, fewer let the sampler know more. Both are part of the
    study: they change what the sampler sees.

    Raises ValueError for unknown names and for counts below 1.
    """

    task: str
    space: dict[str, Any]
    space_name: str = ""
    task_options: TaskOptions = field(default_factory=TaskOptions)
    trials: int = 64
    sampler: str = "tpe"
    objectives: tuple[str, ...] = ("error", "synapses")
    epochs: int = 60
    batch_size: int = 64
    seed: int = 0
    pack_size: int = 8
    ahead: int = 4

    def __post_init__(self) -> None:
        for name in ("trials", "epochs", "batch_size", "pack_size", "ahead"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}; give a whole number, 1 or more")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed is {self.seed!r}; give a whole number, 0 or more")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler is {self.sampler!r}; known: {', '.join(SAMPLERS)}")
        unknown = [name for name in self.objectives if name not in OBJECTIVES]
        if unknown or not self.objectives or len(set(self.objectives)) != len(self.objectives):
            raise ValueError(
                f"objectives are {', '.join(self.objectives) or 'none'}; give one or more of {', '.join(OBJECTIVES)}, each once"
            )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "task_options": self.task_options.to_json(), "objectives": list(self.objectives)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "StudyConfig":
        options = TaskOptions.from_json(data["task_options"])
        return cls(**{**data, "task_options": options, "objectives": tuple(data["objectives"])})
