"""The configuration of a study.

The same configuration and seed give the same table, on any workers and however often the search is
interrupted.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from wiring_search import tasks
from wiring_search.scores.catalogue import ALWAYS, GROUPS, MEASURED, REPEATED, Score
from wiring_search.store.extension import Extension
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Task
from wiring_search.training.pruning import CUT_AS, PRUNING, Promotion
from wiring_search.workers.jobs import Rung


@dataclass(frozen=True)
class StudyConfig:
    """The settings of a study.

    A configuration is a value: making one runs no code of the extension, and changes nothing.
    `load_task` and `load_extension` run it.

    Attributes:
        task: The task's name.
        space: The search space as plain data, see `wiring_search.search_spaces.Space.to_json`.
        space_name: The space's name, for people.
        task_options: Options of the task.
        trials: Candidates to train. Infeasible and repeated points do not count. None: train until
            a budget is spent.
        sampler: A name of `search.samplers.SAMPLERS`, or an import path.
        objectives: Scores that the search minimises or maximises, by name.
        epochs: The full training budget of each candidate.
        batch_size: Samples per minibatch.
        seed: Of everything random.
        pack_size: Candidates trained side by side.
        ahead: Packs that may run at once. More packs keep more workers busy; fewer packs let the
            sampler learn from more results. Like pack_size, it changes what the sampler sees.
        scores: Groups of scores that are measured after training.
        repeats: Trainings per candidate, from different initial weights, in the same pack. The
            error is their mean.
        pruning: A name of PRUNING.
        eta: Each rung has eta times the epochs of the rung below.
        first_epochs: The least epochs of the first rung; 0 makes three rungs.
        cut_as: A name of CUT_AS: how the sampler sees a candidate that was not promoted.
        asynchronous: Results reach the sampler in the order of finishing, which keeps all workers
            busy. Otherwise they reach it in the order of asking, which makes the table a function
            of the seed alone.
        inherit: Children of the sampler "evolution" start with their parent's weights where
            synapses survive. Without effect if repeats > 1.
        extension: A user's file of neurons, scores and tasks.

    Raises:
        ValueError: A name is unknown, a number is out of range, or an objective is not measured.
    """

    task: str
    space: dict[str, Any]
    space_name: str = ""
    task_options: TaskOptions = field(default_factory=TaskOptions)
    trials: int | None = 64
    sampler: str = "tpe"
    objectives: tuple[str, ...] = ("error", "synapses")
    epochs: int = 60
    batch_size: int = 64
    seed: int = 0
    pack_size: int = 8
    ahead: int = 4
    scores: tuple[str, ...] = MEASURED
    repeats: int = 1
    pruning: str = "none"
    eta: int = 3
    first_epochs: int = 0
    cut_as: str = "low-fidelity"
    asynchronous: bool = False
    inherit: bool = False
    extension: Extension | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "epochs", "batch_size", "pack_size", "ahead", "repeats"):
            value = getattr(self, name)
            if name == "trials" and value is None:
                continue
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}; give a whole number, 1 or more")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed is {self.seed!r}; give a whole number, 0 or more")
        for name, known in (("pruning", PRUNING), ("cut_as", CUT_AS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; known: {', '.join(known)}")
        if self.trials is None and self.promotion.together:
            raise ValueError(
                f"pruning {self.pruning!r} compares all candidates before it promotes any, "
                "and trials is None; give a number of trials"
            )
        if not isinstance(self.eta, int) or self.eta < 2:
            raise ValueError(f"eta is {self.eta!r}; give a whole number, 2 or more")
        if not isinstance(self.first_epochs, int) or not 0 <= self.first_epochs <= self.epochs:
            raise ValueError(
                f"first_epochs is {self.first_epochs!r}; give a whole number from 0 (the default) "
                f"to epochs ({self.epochs})"
            )
        if self.extension is None or self.extension.contents is not None:
            self._check_scores()

    def _check_scores(self) -> None:
        """Refuse objectives and groups of scores that nothing defines or measures."""
        known = [name for name, score in self._known_scores().items() if score.sign]
        unknown = [name for name in self.objectives if name not in known]
        if unknown or not self.objectives or len(set(self.objectives)) != len(self.objectives):
            raise ValueError(
                f"objectives are {', '.join(self.objectives) or 'none'}; give one or more of "
                f"{', '.join(known)}, each once"
            )
        groups = self._groups()
        unknown = [name for name in self.scores if name not in groups]
        if unknown or len(set(self.scores)) != len(self.scores):
            raise ValueError(
                f"scores are {', '.join(self.scores)}; give some of {', '.join(groups)}, "
                "each once, or none"
            )
        for name in self.objectives:
            if name not in self.measured:
                if name in REPEATED:
                    missing = "repeats of 2 or more"
                else:
                    missing = f"{self._group_of(name)} among the scores"
                raise ValueError(f"objective {name} is not measured; it needs {missing}")

    def _groups(self) -> dict[str, dict[str, Score]]:
        """The groups of scores that this study may ask for: the built-in ones, its extension's."""
        groups = {group: GROUPS[group] for group in MEASURED}
        if self.extension is not None and self.extension.scores:
            groups[self.extension.group] = self.extension.scores
        return groups

    def _known_scores(self) -> dict[str, Score]:
        known = {**ALWAYS, **REPEATED}
        for scores in self._groups().values():
            known.update(scores)
        return known

    def _group_of(self, name: str) -> str | None:
        return next((group for group, scores in self._groups().items() if name in scores), None)

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of the scores that every candidate gets."""
        repeated = tuple(REPEATED) if self.repeats > 1 else ()
        return (
            *ALWAYS,
            *repeated,
            *(
                name
                for group, scores in self._groups().items()
                if group in self.scores
                for name in scores
            ),
        )

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The training budgets, the last one the full budget."""
        ends = self.promotion.ends(self.epochs, self.eta, self.first_epochs)
        starts = (0, *ends[:-1])
        return tuple(
            Rung(number, end, self.batch_size, start)
            for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        )

    @property
    def promotion(self) -> Promotion:
        """How candidates climb from rung to rung."""
        return PRUNING[self.pruning]

    @property
    def share(self) -> float:
        """The share of a rung's candidates that is promoted; spared front members come on top."""
        return self.promotion.share(self.eta)

    @property
    def limit(self) -> float:
        """Candidates to train; inf if only a budget ends the study."""
        return math.inf if self.trials is None else self.trials

    def groups_at(self, rung: int) -> tuple[str, ...]:
        """Return the groups of scores that are measured at a rung.

        At the full budget these are all groups, below it those of the objectives.

        Args:
            rung: Its index in `rungs`.
        """
        if rung == len(self.rungs) - 1:
            return self.scores
        needed = {self._group_of(name) for name in self.objectives}
        return tuple(group for group in self.scores if group in needed)

    def load_extension(self) -> None:
        """Run the code of the study's extension in this process, where it has one.

        Raises:
            ValueError: See `Extension.load`.
        """
        if self.extension is not None:
            self.extension.load()

    def load_task(self) -> Task:
        """Load the study's task, and before it the extension, which may define the task.

        Raises:
            ValueError: The task or its data are absent or wrong, or the extension is.
        """
        self.load_extension()
        return tasks.load(self.task, self.task_options)

    def to_json(self) -> dict[str, Any]:
        lists = {"objectives": list(self.objectives), "scores": list(self.scores)}
        return {**asdict(self), "task_options": self.task_options.to_json(), **lists}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "StudyConfig":
        options = TaskOptions.from_json(data["task_options"])
        # Studies of versions without further scores keep measuring none.
        tuples = {"objectives": tuple(data["objectives"]), "scores": tuple(data.get("scores", ()))}
        extension = data.get("extension")
        if extension is not None:
            extension = Extension.from_json(extension)
        return cls(**{**data, "task_options": options, **tuples, "extension": extension})
