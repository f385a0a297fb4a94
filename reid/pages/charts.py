"""Charts of a page: where the lines, ticks and marks of an inline SVG lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log10

from matplotlib.ticker import LogLocator, MaxNLocator

from reid.plots.curves import ACCURACY, SCORES, SPEEDS, attribute, best_epoch, points_of

WIDTH, HEIGHT = 400, 220  # of the SVG's own units, which are about the pixels that it gets
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 10, 26  # margins, with room for the ticks' numbers
DOTTED = 30  # lines of so many points have dots, which say their value when pointed at
COUNTED = ("epoch", "rank")  # axes of whole numbers
NAMED = 8  # values of another axis that are its ticks
APART = 40  # of the SVG's units, from tick to tick
COLOURS = 6  # of page.css


@dataclass(frozen=True)
class Line:
    """One named series; points that are not finite are left out.

    Args:
        dots: x, y and key of what the line is the mean of; its own points, if left out.
        joined: whether there is a line at all, or dots alone.
        value: what the legend says behind the name; the line's value at the chart's mark, if left out.
        key: what stands for the same thing elsewhere on the page.
        plain: gray, without dots, and not in the legend.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dots: Sequence[tuple[float, float, str]] | None = None
    joined: bool = True
    value: str | None = None
    key: str = ""
    plain: bool = False

    @property
    def points(self) -> list[tuple[float, float]]:
        return [(x, y) for x, y in zip(self.x, self.y, strict=True) if isfinite(x) and isfinite(y)]


@dataclass(frozen=True)
class Chart:
    """Lines over one axis; ``y`` in per cent where ``unit`` says so."""

    title: str
    lines: Sequence[Line]
    axis: str = "epoch"
    unit: str = ""
    marked: float | None = None  # an x to point out
    from_zero: bool = True
    log_x: bool = False
    note: str = ""  # below, instead of the axis's name

    def draw(self) -> "Drawing":
        """Raises ``ValueError`` without a finite point."""
        points = [point for line in self.lines for point in line.points]
        points += [(x, y) for line in self.lines for x, y, _ in line.dots or ()]
        if not points:
            raise ValueError(f"the chart {self.title!r} has no finite point: give at least one")
        xs, ys = zip(*points, strict=True)
        low = min(0.0, *ys) if self.from_zero else min(ys)
        y_ticks = ticks(low, max(ys), count=5)
        if self.unit == "%":
            y_ticks = [tick for tick in y_ticks if 0 <= tick <= 100]
        to_x = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT, log=self.log_x)
        x_ticks = ticks_of(sorted(set(xs)), to_x, counted=self.axis in COUNTED)
        to_y = Scale(min(y_ticks[0], *ys), max(y_ticks[-1], *ys), HEIGHT - BOTTOM, TOP)
        return Drawing(
            curves=[
                Curve.of(line, self, to_x, to_y, colour=place % COLOURS)
                for place, line in enumerate(line for line in self.lines if line.points)
            ],
            x_ticks=[(to_x(tick), f"{tick:g}") for tick in x_ticks],
            y_ticks=[(to_y(tick), f"{tick:g}") for tick in y_ticks],
            marked=None if self.marked is None else to_x(self.marked),
        )


@dataclass(frozen=True)
class Scale:
    """From values to the SVG's units, of their logarithms on request; a single value lies in the middle."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = log10(low), log10(high), log10(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True)
class Curve:
    """A line as SVG has it."""

    name: str
    value: str  # for the legend
    path: str  # of a polyline; empty: none
    dots: Sequence[tuple[float, float, str, str]]  # x, y, what it says, and its key
    colour: str  # 0 to 5, or plain
    key: str

    @classmethod
    def of(cls, line: Line, chart: Chart, to_x: Scale, to_y: Scale, *, colour: int) -> "Curve":
        unit = f" {chart.unit}" if chart.unit else ""
        at = next((y for x, y in line.points if x == chart.marked), line.points[-1][1])
        value = f"{at:.1f} %" if chart.unit == "%" else f"{at:.3g}"
        shown = [(x, y, "") for x, y in line.points] if line.dots is None else line.dots
        few = line.dots is not None or (len(shown) <= DOTTED and not line.plain)
        return cls(
            name=line.name,
            value=value if line.value is None else line.value,
            path=" ".join(f"{to_x(x):g},{to_y(y):g}" for x, y in line.points) if line.joined else "",
            dots=[
                (to_x(x), to_y(y), f"{chart.axis} {x:g}: {y:.4g}{unit}", key) for x, y, key in shown if few
            ],
            colour="plain" if line.plain else str(colour),
            key=line.key,
        )


@dataclass(frozen=True)
class Drawing:
    """What the template draws, in the SVG's units."""

    curves: Sequence[Curve]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    marked: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def plain(self) -> int:
        """How many curves have no name in the legend."""
        return sum(curve.colour == "plain" for curve in self.curves)


def ticks_of(values: Sequence[float], scale: Scale, *, counted: bool) -> list[float]:
    """Ticks of the horizontal axis: round numbers, or the values themselves if they are few."""
    if counted or (len(values) > NAMED and not scale.log):
        wanted = ticks(values[0], values[-1], count=8, integer=counted)
    elif len(values) > NAMED:
        parts = (1, 2, 5) if values[-1] < 100 * values[0] else (1,)
        wanted = [float(tick) for tick in LogLocator(subs=parts).tick_values(values[0], values[-1])]
    else:
        wanted = list(values)
    kept: list[float] = []
    for tick in wanted:
        if values[0] <= tick <= values[-1] and (
            counted or not kept or scale(tick) - scale(kept[-1]) >= APART
        ):
            kept.append(tick)
    return kept


def ticks(low: float, high: float, *, count: int, integer: bool = False) -> list[float]:
    """Round values that cover the range, at most ``count`` steps."""
    locator = MaxNLocator(nbins=count, integer=integer, steps=[1, 2, 5, 10])
    return [float(tick) for tick in locator.tick_values(low, high)]


def training_charts(epochs: Sequence[Mapping[str, float]]) -> list[Chart]:
    """Losses, scores, accuracies and learning rate of rows of metrics.csv; what none has is left out."""
    names = list(dict.fromkeys(name for row in epochs for name in row))
    losses = [name for name in names if name.startswith("train/") and name not in SPEEDS]
    losses.sort(key=lambda name: name != "train/loss")  # the sum first
    accuracies = [name for name in names if name.startswith("val/") and name.endswith(ACCURACY)]
    series = {
        name: points
        for name in (*losses, *SCORES, *accuracies, "learning_rate")
        if len((points := points_of(epochs, name))[0])
    }
    best = best_epoch(series)
    named = {
        "Training loss": {name: name.removeprefix("train/") for name in losses},
        "Keypoints" if "val/pck" in series else "Retrieval": {name: SCORES[name][0] for name in SCORES},
        "Attributes": {name: attribute(name) for name in accuracies},
        "Learning rate": {"learning_rate": "learning rate"},
    }
    charts = []
    for title, lines in named.items():
        percent = any(name.startswith("val/") for name in lines)
        drawn = [
            Line(
                "weighted sum" if label == "loss" else label,
                series[name][0].tolist(),
                ((100 if percent else 1) * series[name][1]).tolist(),
            )
            for name, label in lines.items()
            if name in series
        ]
        if drawn:
            charts.append(Chart(title, drawn, unit="%" if percent else "", marked=best))
    return charts
