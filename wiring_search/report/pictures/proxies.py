"""How well each proxy ranks trained candidates, as a picture."""

from typing import TYPE_CHECKING

from wiring_search.wirings.palette import BLUE, FAINT, PALE

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


def draw_proxies(table: "pandas.DataFrame") -> "Figure":
    """Draw rank correlations of proxies with their intervals, one panel per score.

    Intervals that contain 0 are grey.

    Args:
        table: Of `run.commands.screen.trust`.
    """
    from matplotlib.figure import Figure

    scores = list(dict.fromkeys(table["score"]))
    figure = Figure(
        figsize=(2.2 + 2.2 * len(scores), 0.9 + 0.4 * table["proxy"].nunique()),
        layout="constrained",
    )
    panels = figure.subplots(1, len(scores), sharex=True, sharey=True, squeeze=False)[0]
    for panel, score in zip(panels, scores, strict=True):
        for row in table[table["score"] == score].iloc[::-1].itertuples():
            colour = BLUE if row.low * row.high > 0 else FAINT
            panel.plot([row.low, row.high], [row.proxy] * 2, color=colour, linewidth=2)
            panel.plot([row.correlation], [row.proxy], "o", color=colour)
        panel.axvline(0.0, color=PALE, linewidth=1, zorder=0)
        panel.set(title=score, xlim=(-1, 1), xlabel="rank correlation")
        panel.spines[["top", "right"]].set_visible(False)
    return figure
