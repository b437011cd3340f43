"""Tables on the console, and the front that several commands end with."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search.cli.options import console

if TYPE_CHECKING:
    import pandas

    from wiring_search.analysis.front import Front
    from wiring_search.run import Run

# Shown beside error and size where they were measured.
_FURTHER = ("error_se", "memory", "expressivity", "robustness")
# Columns of the console from which on all usual scores fit, and the further ones too.
_USUAL = 100
_WIDE = 150
# Share of resamples from which on another candidate than the knee is shown as a knee.
_OFTEN = 0.05


def show_front(run: "Run", found: "Front | None" = None) -> None:
    """Print a front with its baselines, rules and answer.

    Args:
        run: The run folder.
        found: A front of the same study in other objectives; the study's front by default.
    """
    from wiring_search.tasks.task import value_of

    found = found or run.analysed()
    trials = int((found.rows["baseline"] == "").sum())
    columns, rows = _front_cells(found, run.metric)
    title = f"Pareto front: {', '.join(found.objectives)} (validation split)"
    if len(rows) == trials:
        print_table(columns, rows, title)
    else:
        standing = [_standing(row, found.objectives) for _, row in found.rows.iterrows()]
        joint = [[*cells, cell] for cells, cell in zip(rows, standing, strict=True)]
        print_table([*columns, "joint front"], joint, title, section=trials)
        console.print(
            "joint front: yes if no candidate and no baseline is at least as good in every "
            "objective and better in one"
        )
    for name, error in run.rules.items():
        console.print(f"rule {name}: {run.metric} {value_of(run.metric, error):.4g}")
    for line in _sentences(found):
        console.print(plain(line), soft_wrap=True)
    console.print(run.answer(), soft_wrap=True)


def _front_cells(found: "Front", metric: str) -> tuple[list[str], list[list[str]]]:
    """The columns of a front and its cells; columns that would be empty are left out."""
    compared = found.rows
    scores = _scores(found, metric)
    kinds = "p.neuron" in compared
    certain = compared["probability"].notna().any()
    knees = [_knee(row, found) for _, row in compared.iterrows()]
    columns = ["trial", *(["neuron"] if kinds else []), *scores]
    columns += ["P(front)"] if certain else []
    columns += ["knee"] if any(knees) else []
    rows = []
    for (_, row), knee in zip(compared.iterrows(), knees, strict=True):
        cells = [_name(row), *([_kind(row)] if kinds else [])]
        cells += [number(row[name]) for name in scores]
        cells += [_probability(row)] if certain else []
        cells += [knee] if any(knees) else []
        rows.append(cells)
    return columns, rows


def _scores(found: "Front", metric: str) -> list[str]:
    """The scores that the console has room for, the objectives always."""
    from wiring_search.tasks.task import SHARES

    usual = ["error", "synapses"]
    if console.width >= _USUAL:
        usual += ["parameters", "latency_us"]
    further = _FURTHER if console.width >= _WIDE else ()
    names = list(dict.fromkeys([metric, *usual, *further, *found.objectives]))
    if metric not in SHARES:  # an mse is the error itself
        names.remove("error")
    return [name for name in names if name in found.rows]


def print_files(**paths: Path) -> None:
    """Print the paths of files, by what they are."""
    for what, path in paths.items():
        console.print(f"{what}: {plain(str(path))}", soft_wrap=True)


def print_table(
    columns: list[str], rows: list[list[str]], title: str | None = None, section: int = 0
) -> None:
    """Print a table. Columns of numbers are aligned to the right.

    Args:
        columns: Their names.
        rows: Cells by row.
        title: Above the table.
        section: The number of rows above a rule; 0: no rule.
    """
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
    """Return a number with four digits; a dash for NaN."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def finite(value: float, digits: int) -> str:
    """Return a number as text, a dash where it is not finite.

    Args:
        value: The number.
        digits: Significant digits.
    """
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def with_spread(metric: str, mean: float, spread: float) -> str:
    """Return a mean ± its spread, if that is known.

    Args:
        metric: Named before the mean.
        mean: NaN where the training diverged.
        spread: NaN where it is unknown.
    """
    if math.isnan(mean):
        return "diverged"
    text = f"{metric} {mean:.3g}".strip()
    return text if math.isnan(spread) else f"{text} ± {spread:.2g}"


def plain(text: str) -> str:
    """Return text without markup: brackets stay brackets."""
    from rich.markup import escape

    return escape(text)


def _sentences(found: "Front") -> Iterator[str]:
    """What is known of a front besides its members."""
    if found.rows["probability"].notna().any():
        yield (
            "P(front): probability that no other candidate that was trained several times is truly "
            "better"
        )
    elif "error" in found.objectives and len(found.rows):
        yield (
            "No error bars: not every front member was trained more than once. "
            "Use `retrain` or --repeats."
        )
    if found.beside:
        likely = ", ".join(
            f"trial {trial} ({share:.2f})" for trial, share in list(found.beside.items())[:5]
        )
        yield f"Perhaps on the front (probability): {likely}"
    if found.knee is not None:
        way = "draws of the errors" if found.by_errors else "resamples of the candidates"
        yield (
            f"knee: trial {found.knee}, where the front bends most. "
            f"In {found.stability:.0%} of {way} the knee is here or close by."
        )
    if found.reference.known:
        yield f"hypervolume {found.hypervolume:.4g}, below {found.reference.sentence}"
        if found.hypervolume == 0:
            yield "It is 0: no candidate is better than this point in every objective."


def _probability(row: "pandas.Series") -> str:
    return "" if math.isnan(row["probability"]) else f"{row['probability']:.2f}"


def _knee(row: "pandas.Series", found: "Front") -> str:
    """Stability of the knee; for others, the share of resamples whose knee they are, if notable."""
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
