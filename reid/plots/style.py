"""How every picture looks, and how it reaches the disk: whole or not at all."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.figure import Figure

from reid.whole import whole

DPI = 150
INK, SOFT, FAINT, PAPER = "#22272E", "#6B7480", "#E3E6EA", "#FFFFFF"
BLUE, AMBER, VIOLET, TEAL, ROSE = "#2B6CB0", "#DD8A1A", "#7A5BA8", "#2A9D8F", "#C8577A"
GREEN, RED = "#17935A", "#D8343F"  # match and no match; never the only cue

# For `rc_context`, which would have each key typed as one of 300 literals.
STYLE: Any = MappingProxyType(
    {
        "figure.dpi": DPI,
        "figure.facecolor": PAPER,
        "figure.constrained_layout.w_pad": 0.1,  # inches
        "figure.constrained_layout.h_pad": 0.08,
        "savefig.facecolor": PAPER,
        "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures are alike everywhere
        "font.size": 9,
        "text.color": INK,
        "text.parse_math": False,  # a title may hold a $
        "axes.facecolor": PAPER,
        "axes.edgecolor": SOFT,
        "axes.labelcolor": SOFT,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlesize": 9,
        "axes.titlecolor": SOFT,
        "axes.titlelocation": "left",
        "figure.titlesize": 12,
        "figure.titleweight": "bold",
        "grid.color": FAINT,
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.solid_capstyle": "round",
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "legend.handlelength": 1.4,
        "legend.borderaxespad": 0.2,
    }
)


def write_png(figure: Figure, path: Path) -> Path:
    """Write the figure at its own dpi, making folders as needed; a failure leaves what was there before."""
    with whole(path) as draft:
        figure.savefig(draft, format="png", dpi=figure.dpi, metadata={"Software": None})
    return path
