"""Tables on the console, and the front, which several commands end with."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wiring_search.cli.options import console

if TYPE_CHECKING:
    import pandas

    from wiring_search.analysis.front import Front
    from wiring_search.run import Run

# Shown beside error and size where they were measured.
_FURTHER = ("error_se", "memory", "expressivity", "robustness")
# Characters a line that a console must have to show all the usual scores, and the further ones too.
_USUAL, _WIDE = 100, 150
# Share of resamples from which on another knee than the knee is told.
_OFTEN = 0.05


def show_front(run: "Run", found: "Front | None" = None) -> None:
    """found: another front of it than that of its own objectives."""
    from wiring_search.tasks.task import SHARES, value_of

    found = found or run.analysed()
    metric, objectives, compared = run.metric, found.objectives, found.rows
    usual = (
        ("error", "synapses", "parameters", "latency_us")
        if console.width >= _USUAL
        else ("error", "synapses")
    )
    further = _FURTHER if console.width >= _WIDE else ()
    scores = list(dict.fromkeys([metric, *usual, *further, *objectives]))
    if metric not in SHARES:  # an mse is the error itself
        scores.remove("error")
    scores = [name for name in scores if name in compared]
    title = f"Pareto front: {', '.join(objectives)} (validation split)"
    kinds = ["neuron"] if "p.neuron" in compared else []
    sure = ["sure"] if compared["probability"].notna().any() else []
    rows = [
        [_name(row), *(_kind(row) for _ in kinds), *(number(row[name]) for name in scores)]
        + [*(_sure(row) for _ in sure), _knee(row, found), _standing(row, objectives)]
        for _, row in compared.iterrows()
    ]
    trials = int((compared["baseline"] == "").sum())
    if all(not row[-2] for row in rows):
        rows, bends = [[*row[:-2], row[-1]] for row in rows], []
    else:
        bends = ["knee"]
    columns = ["trial", *kinds, *scores, *sure, *bends]
    if len(compared) == trials:
        print_table(columns, [row[:-1] for row in rows], title)
    else:
        print_table([*columns, "joint front"], rows, title, section=trials)
        console.print(
            "joint front: yes where no candidate and no trained baseline is as good in everything and better in something"
        )
    for name, error in run.baselines.items():
        console.print(f"baseline {name}: {metric} {value_of(metric, error):.4g}")
    for line in _said(found):
        console.print(plain(line), soft_wrap=True)
    console.print(run.answer(), soft_wrap=True)


def print_table(
    columns: list[str], rows: list[list[str]], title: str | None = None, section: int = 0
) -> None:
    """section: a line is drawn below so many rows."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        numbers = bool(rows) and all(row[i][:1] in "0123456789-–" for row in rows)
        longest = max((len(row[i]) for row in rows), default=0)
        table.add_column(
            name,
            justify="right" if numbers else "left",
            no_wrap=numbers,
            min_width=longest if longest < 27 else None,
        )
    for number, row in enumerate(rows, start=1):
        table.add_row(*(plain(cell) for cell in row), end_section=number == section)
    console.print(table)


def number(value: object) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def finite(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def with_spread(metric: str, mean: float, spread: float) -> str:
    if mean != mean:
        return "diverged"
    return f"{metric} {mean:.3g}".strip() + ("" if spread != spread else f" ± {spread:.2g}")


def plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _said(found: "Front") -> Iterator[str]:
    """What is known of a front besides its members."""
    if found.rows["probability"].notna().any():
        yield "sure: probability that no other candidate that was trained several times is truly better"
    elif "error" in found.objectives and len(found.rows):
        yield "sure of it? Not all of the front was trained several times, so nothing is known of luck; `retrain` or --repeats tells."
    if found.beside:
        likely = ", ".join(
            f"trial {trial} ({share:.2f})" for trial, share in list(found.beside.items())[:5]
        )
        yield f"beside the front, but perhaps on it: {likely}"
    if found.knee is not None:
        way = "draws of the errors" if found.by_errors else "resamples of the candidates"
        yield f"knee: trial {found.knee}, where the front bends most; in {found.stability:.0%} of {way} the knee is there or near it"
    if found.reference.known:
        yield f"hypervolume {found.hypervolume:.4g}, below {found.reference.sentence}"
        if found.hypervolume == 0:
            yield "That is 0: no candidate is better than this point in every objective."


def _sure(row: "pandas.Series") -> str:
    if math.isnan(row["probability"]):
        return ""
    return f"{row['probability']:.2f}"


def _knee(row: "pandas.Series", found: "Front") -> str:
    """Of the knee, how stable it is; of others, how often resamples have it as their knee, where
    that is not seldom."""
    if row["knee"]:
        return f"knee ({found.stability:.0%})"
    return f"{row['knee_share']:.0%}" if row["knee_share"] >= _OFTEN else ""


def _kind(row: "pandas.Series") -> str:
    """Neuron and memory; nothing for a baseline."""
    chosen = [row["p.neuron"], row.get("p.memory", "none")]
    return "+".join(name for name in chosen if isinstance(name, str) and name != "none")


def _name(row: "pandas.Series") -> str:
    return f"baseline {row['baseline']}" if row["baseline"] else str(row["trial"])


def _standing(row: "pandas.Series", objectives: tuple[str, ...]) -> str:
    if row["status"] != "ok":
        return row["status"]
    if any(math.isnan(row[name]) for name in objectives):
        return "not measured"
    return "yes" if row["on_front"] else "no"
