"""Numbers to pictures: each function draws one figure; `to_svg` and `to_png` turn it into text and bytes.

In SVG the colours are CSS variables (--ink, --line, --a, --b, --c), so that a page may be light or dark.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from .analysis import Bin, ErrorBin
from .learning_curve import Point

P = ParamSpec("P")


class Colours(NamedTuple):
    """ink: text and reference lines. line: grid. a, b, c: what is shown."""

    ink: str
    line: str
    a: str
    b: str
    c: str


# Colours that no figure has otherwise stand for the CSS variables, until the SVG is written.
VARIABLES = Colours("#010203", "#010204", "#010205", "#010206", "#010207")
ON_WHITE = Colours("#22262b", "#d9dde2", "#2f6fc4", "#d9622b", "#2f9469")
# From low to high, each visible on white and on black.
LOW_TO_HIGH = LinearSegmentedColormap.from_list("low_to_high", ["#3d7be0", "#9a8fa8", "#f07d3c"])
MOST_POINTS = 3000
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def in_style(function: Callable[Concatenate[Colours, P], Figure]) -> Callable[Concatenate[Colours, P], Figure]:
    """Draw in our style and colours, whatever matplotlib's settings are elsewhere."""

    @wraps(function)
    def drawn(colours: Colours, /, *values: P.args, **named: P.kwargs) -> Figure:
        text: Any = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), colours.ink)
        with matplotlib.rc_context({**STYLE, **text, "grid.color": colours.line, "axes.edgecolor": colours.line}):
            return function(colours, *values, **named)

    return drawn


@in_style
def score_scatter(colours: Colours, scores: np.ndarray, model_scores: np.ndarray, seed: int) -> Figure:
    """Score against model score, with the line of equality and the line of least squares; (N,) each."""
    figure, axes = _figure("model score", "score")
    shown = some(len(scores), seed)
    axes.plot(model_scores[shown], scores[shown], "o", color=colours.a, alpha=0.55, markersize=3.6, markeredgewidth=0)
    ends = np.array([model_scores.min(), model_scores.max()])
    axes.plot(ends, ends, color=colours.ink, linewidth=1, linestyle=(0, (3, 3)), label="equal")
    if np.ptp(model_scores) > 0:
        slope, height = np.polyfit(model_scores, scores, 1)
        axes.plot(ends, slope * ends + height, color=colours.b, linewidth=2, label=f"best line, slope {slope:.2f}")
    axes.legend(loc="upper left")
    return figure


@in_style
def error_by_score(colours: Colours, scores: np.ndarray, model_scores: np.ndarray, seed: int) -> Figure:
    """Model score minus score, by score, with the means of up to ten groups of equal size."""
    figure, axes = _figure("score", "model score − score")
    shown = some(len(scores), seed)
    error = model_scores - scores
    axes.plot(scores[shown], error[shown], "o", color=colours.a, alpha=0.5, markersize=3.6, markeredgewidth=0)
    groups = np.array_split(np.argsort(scores, kind="stable"), max(1, min(10, len(scores) // 5)))
    means = [(scores[rows].mean(), error[rows].mean()) for rows in groups]
    axes.axhline(0, color=colours.ink, linewidth=1)
    label = f"means of {len(groups)} groups"
    axes.plot(*np.transpose(means), "o-", color=colours.b, linewidth=2, markersize=4.5, label=label)
    axes.legend(loc="upper right")
    return figure


@in_style
def calibration_plot(colours: Colours, bins: Sequence[Bin]) -> Figure:
    """Mean score of groups by model score, with 95 % of the mean, beside the line of equality."""
    figure, axes = _figure("mean model score of a group", "its mean score")
    x, y, error = (np.array([getattr(b, name) for b in bins]) for name in ("model_score", "score", "error"))
    _beside_equality(axes, colours, x, y, error, (x.min(), x.max()))
    return figure


@in_style
def reliability_plot(colours: Colours, bins: Sequence[ErrorBin]) -> Figure:
    """Real errors of groups by expected error, with 95 % intervals, beside the line of equality."""
    figure, axes = _figure("error that the model expects", "error that it makes")
    x, y, spread = (np.array([getattr(b, name) for b in bins]) for name in ("expected", "actual", "uncertainty"))
    _beside_equality(axes, colours, x, y, spread, (0, max(x.max(), y.max())))
    return figure


@in_style
def distributions(colours: Colours, scores: Mapping[str, np.ndarray]) -> Figure:
    """Scores of each split, as shares of its images."""
    figure, axes = _figure("score", "share of the images")
    everything = np.concatenate(list(scores.values()))
    edges = np.histogram_bin_edges(everything, bins=24)
    for (name, values), colour in zip(scores.items(), (colours.a, colours.b, colours.c, colours.ink), strict=False):
        shares = np.full(len(values), 1 / max(1, len(values)))
        options: Any = {"histtype": "stepfilled", "linewidth": 1.8, "edgecolor": colour, "facecolor": colour}
        axes.hist(values, edges.tolist(), weights=shares, alpha=0.25, **{**options, "linewidth": 0})
        axes.hist(
            values, edges.tolist(), weights=shares, **{**options, "facecolor": "none"}, label=f"{name}, {len(values)}"
        )
    axes.legend(loc="upper left")
    return figure


@in_style
def feature_map(colours: Colours, places: np.ndarray, scores: np.ndarray, names: tuple[str, str]) -> Figure:
    """Images where their features lie, (N, 2), coloured by score (N,)."""
    figure, axes = _figure(*names)
    low, high = np.quantile(scores, (0.02, 0.98))
    options: Any = {"cmap": LOW_TO_HIGH, "vmin": low, "vmax": max(high, low + 1e-9), "linewidths": 0}
    points = axes.scatter(places[:, 0], places[:, 1], c=scores, s=11, alpha=0.8, **options)
    bar = figure.colorbar(points, ax=axes, fraction=0.045, pad=0.02, label="score")
    bar.outline.set_visible(False)
    axes.set_xticklabels([])
    axes.set_yticklabels([])
    return figure


@in_style
def learning_curve_plot(colours: Colours, points: Sequence[Point]) -> Figure:
    """Spearman on the eval and the train images by the number of images trained on; a dot for each round."""
    figure, axes = _figure("images trained on", "Spearman")
    counts = [point.images for point in points]
    for name, colour, label in (
        ("trained", colours.b, "the images trained on"),
        ("evaluated", colours.a, "eval images"),
    ):
        rounds = np.array([getattr(point, name) for point in points])  # (P, R)
        axes.plot(counts, rounds, "o", color=colour, alpha=0.5, markersize=4, markeredgewidth=0)
        means = np.ma.masked_invalid(rounds).mean(axis=1)
        axes.plot(counts, means, color=colour, linewidth=2, label=label)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.legend(loc="best")
    return figure


@in_style
def layer_plot(
    colours: Colours, states: Sequence[int], found: Mapping[str, Sequence[float]], together: tuple[str, float]
) -> Figure:
    """Spearman by depth, the image model's first layer on the left, its final output, 0, on the right.

    found: {"ridge": one a state, …}, nan where there is none. together: the states used now, and theirs.
    """
    figure, axes = _figure("hidden state (0: the final output)", "Spearman on the eval images")
    for (name, values), colour in zip(found.items(), (colours.b, colours.a), strict=False):
        axes.plot(states, values, "o-", color=colour, linewidth=2, markersize=4.5, label=f"each by itself, {name}")
    axes.axhline(together[1], color=colours.ink, linewidth=1, linestyle=(0, (3, 3)), label=f"together: {together[0]}")
    step = -(-len(states) // 12)
    axes.set_xticks(list(states)[::step])
    axes.invert_xaxis()
    axes.legend(loc="best")
    return figure


@in_style
def importance_bars(colours: Colours, importances: Mapping[str, float]) -> Figure:
    """Shares of 1, a bar each, the largest on top."""
    figure, axes = _figure("importance", "")
    names = list(importances)[::-1]
    axes.barh(
        [name.replace("_", " ") for name in names],
        [importances[name] for name in names],
        color=colours.a,
        height=0.62,
    )
    axes.grid(visible=False, axis="y")
    return figure


def some(count: int, seed: int) -> np.ndarray:
    """Rows to draw: all, or 3,000 at random, as many thousand points make a page heavy and no clearer."""
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.random.default_rng(seed).choice(count, MOST_POINTS, replace=False)


def places_in(figure: Figure) -> np.ndarray:
    """(N, 2) where the points of a drawn figure's first scatter are in it, from its upper left corner, 0 to 1."""
    axes = figure.axes[0]
    places = axes.transData.transform(axes.collections[0].get_offsets())
    return np.abs(figure.transFigure.inverted().transform(places) - (0, 1))


def to_svg(figure: Figure, name: str) -> str:
    """An `<svg>` element for a page; ids begin with `name`, so that several may stand in one page."""
    text = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(text, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = re.sub(r"<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| version="1.1"|(?<=<svg) width="[^"]*"|(?<=<svg) height="[^"]*"', "", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2).replace("xlink:href", "href")
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for name, colour in VARIABLES._asdict().items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg


def to_svg_file(figure: Figure) -> str:
    """A figure drawn with ON_WHITE, as the text of an SVG file; the same figure gives the same text."""
    text = io.StringIO()
    figure.set_facecolor("white")
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "file"}):
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return text.getvalue()


def to_png(figure: Figure) -> bytes:
    """A figure drawn with ON_WHITE, 200 dots per inch."""
    target = io.BytesIO()
    figure.set_dpi(200)
    figure.set_facecolor("white")
    with matplotlib.rc_context(STYLE):
        FigureCanvasAgg(figure).print_png(target)
    return target.getvalue()


def _figure(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.4, 3.3), layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes


def _beside_equality(
    axes: Axes, colours: Colours, x: np.ndarray, y: np.ndarray, error: np.ndarray, ends: tuple[float, float]
) -> None:
    """y of groups with 95 % of their standard errors, and from end to end the line where it would be x."""
    axes.plot(ends, ends, color=colours.ink, linewidth=1, linestyle=(0, (3, 3)), label="right")
    bars = 1.96 * error
    axes.errorbar(x, y, bars, fmt="o-", color=colours.a, linewidth=2, markersize=5, elinewidth=1, label="the model")
    axes.legend(loc="upper left")
