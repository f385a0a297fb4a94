"""Images a second over batch sizes, ours beside published ones."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

from reid.plots.style import AMBER, BLUE, GREEN, ROSE, SOFT, STYLE, TEAL, VIOLET, write_png

COLOURS = (AMBER, TEAL, VIOLET, ROSE, SOFT, GREEN)


@rc_context(STYLE)
def plot_speeds(
    ours: Mapping[int, float], published: Mapping[str, Mapping[int, float]], path: Path, *, title: str
) -> Path:
    """Solid what was measured here, dashed what others published.

    Args:
        ours: batch size -> images/s.
        published: whose -> batch size -> images/s.

    Raises:
        ValueError: nothing was measured.
    """
    if not ours:
        raise ValueError("no batch size was measured: give at least one")
    figure = Figure(figsize=(7.2, 3.8 + 0.2 * len(published)), layout="constrained")
    ax = figure.subplots()
    for k, (name, speeds) in enumerate(published.items()):
        style = {"color": COLOURS[k % len(COLOURS)], "linewidth": 1.2, "markersize": 4}
        ax.plot(list(speeds), list(speeds.values()), linestyle=(0, (3, 2)), marker="o", label=name, **style)  # type: ignore[arg-type]
    ax.plot(list(ours), list(ours.values()), color=BLUE, marker="o", label="here")
    sizes = sorted({size for speeds in (ours, *published.values()) for size in speeds})
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("images at once")
    ax.set_title("images a second" + ("; dashed: published, on other machines" if published else ""))
    figure.legend(loc="outside lower center", ncols=1)
    figure.suptitle(title, x=0.02, ha="left")
    return write_png(figure, path)
