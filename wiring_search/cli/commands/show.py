"""show: one trial and a picture of its wiring."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Folder, Trial, command, console
from wiring_search.cli.tables import plain

if TYPE_CHECKING:
    from wiring_search import store
    from wiring_search.wirings.candidate import Candidate


@command("Results")
def show(
    out: Folder,
    trial: Trial,
    picture: Annotated[
        Path | None, typer.Option(help="File for the picture. Default: OUT/trial-N.png.")
    ] = None,
) -> None:
    """Show one trial: its numbers, and a picture of its wiring."""
    from wiring_search.run import Run, save_figure
    from wiring_search.wirings.drawing import draw

    run = Run(out)
    found = run.trial(trial)
    console.print(f"[bold]trial {trial}[/]: {found.status.value} ({found.status.sentence})")
    if found.message:
        console.print(plain(found.message))
    if found.candidate is None:
        return
    for name, value in _facts(found, found.candidate, run.metric).items():
        console.print(f"  {name:14} {plain(value)}")
    path = picture or out / f"trial-{trial}.png"
    figure = draw(found.candidate.wiring).get_figure(root=True)
    assert figure is not None, "the wiring is drawn into a figure"
    save_figure(figure, path)
    console.print(f"Picture: {plain(str(path))}")


def _facts(trial: "store.Trial", candidate: "Candidate", metric: str) -> dict[str, str]:
    wiring = candidate.wiring
    params = (
        f"{name} {value}" if isinstance(value, str) else f"{name} {value:.4g}"
        for name, value in trial.params.items()
    )
    return {
        "wiring": f"{wiring.wiring_id}: {wiring.sensory} sensory nodes, {wiring.inter} inter, "
        f"{wiring.command} command, {wiring.motor} motor neurons",
        "synapses": f"{trial.score('synapses'):.0f} (of the wiring: {wiring.synapse_count}, "
        f"{len(wiring.sensory_synapses)} of them sensory)",
        "parameters": f"{trial.score('parameters'):.0f}",
        metric: f"{trial.score('metric'):.4g} (error {trial.score('error'):.4g}, validation)",
        "latency": f"{trial.score('latency_us'):.3g} µs per step",
        "neuron": f"{candidate.neuron}, {candidate.solver} solver, {candidate.steps} steps, "
        f"memory {candidate.memory}, gradient {candidate.gradient}",
        "learning rate": f"{candidate.learning_rate:.4g}",
        "point": ", ".join(params),
    }
