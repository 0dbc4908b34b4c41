"""Draw charts of results, each with its numbers in a CSV file beside it."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, ContextManager, Dict, NamedTuple, Optional, Sequence, Union

import numpy as np

from stf_mmaction.files import replacing

from .saving import save
from .style import fitted, shown, styled, theme_of

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.figure import Figure

# Okabe and Ito's colours, distinguishable with any colour vision, and in black and white by the
# markers.
COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')
DASHES = ('-', '--', '-.', ':', (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', '<', '>')
MARKED = 10  # most markers on a line
GAIN, LOSS = COLORS[0], COLORS[1]
NAMED_CELLS = 30  # most classes for which a confusion matrix shows its numbers
CELL = (0.085, 0.3)  # smallest and largest size of one of its cells, in inches
MOST_CELLS = 500  # most classes for which each of its rows is named
NAMED_GROUPS = 15  # most classes whose names are drawn in a map of clips
LEGEND, LEGEND_ROWS = 120, 40  # most classes in its legend, and in a column of the legend
NAME_WIDTH = 2.6  # inches for the name of a class or a run


class LineChart(NamedTuple):
    """Named lines.

    Attributes:
        values (dict[str, Sequence]): Values of each line.
        places (dict[str, Sequence]): Their positions on the horizontal axis.
        labels (tuple[str, str]): Labels of the two axes.
        title (str): Title above the lines. Defaults to none.
        limits (tuple[float, float], optional): Limits of the vertical axis.
            Defaults to None, those of the values.
    """

    values: Dict[str, Sequence]
    places: Dict[str, Sequence]
    labels: Sequence[str]
    title: str = ''
    limits: Optional[Sequence[float]] = None


def chart_style(texts: Sequence[str] = ()) -> ContextManager[None]:
    """Return a context with the style of all pictures, on white, and fonts for some texts."""
    return styled(theme_of('light'), texts)


def write_table(path: Union[str, Path], header: Sequence[str], rows: Sequence[Sequence]) -> Path:
    """Write a CSV file atomically.

    Args:
        path (str or Path): The file.
        header (Sequence[str]): Names of the columns.
        rows (Sequence[Sequence]): The cells; floats keep 4 decimals.

    Returns:
        Path: The file.
    """
    path = Path(path)
    # File names may not be valid text.
    how = dict(newline='', encoding='utf-8', errors='backslashreplace')
    with replacing(path) as partial, open(partial, 'w', **how) as file:
        table = csv.writer(file, lineterminator='\n')
        table.writerows([[_cell(value) for value in row] for row in (header, *rows)])
    return path


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace('\0', '\\x00')  # Python 3.10 cannot write NUL.
    return f'{value:.4f}' if isinstance(value, (float, np.floating)) else value


def save_chart(
    figure: 'Figure', path: Union[str, Path], header: Sequence[str], rows: Sequence[Sequence]
) -> Path:
    """Save a chart, and its numbers beside it with the ending ``.csv``.

    Args:
        figure (Figure): The chart.
        path (str or Path): Ends in ``.png``, ``.svg`` or ``.pdf``.
        header (Sequence[str]): As in :func:`write_table`.
        rows (Sequence[Sequence]): As in :func:`write_table`.

    Returns:
        Path: The CSV file.
    """
    save(figure, path)
    return write_table(Path(path).with_suffix('.csv'), header, rows)


def _figure(width: float, height: float) -> 'Figure':
    """Return an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained')


def line_charts(charts: Sequence[LineChart]) -> 'Figure':
    """Draw charts of lines side by side, with one legend if a line has a name.

    Args:
        charts (Sequence[LineChart]): Lines of one name look the same in all.
    """
    names = list(dict.fromkeys(name for chart in charts for name in chart.values))
    with chart_style([*names, *(text for c in charts for text in (*c.labels, c.title))]):
        legend, lines = len(names) > 1, {}
        figure = _figure(4.6 * len(charts) + 1.4 * legend, 3.6)
        for column, chart in enumerate(charts, 1):
            axes = figure.add_subplot(1, len(charts), column)
            for name, values in chart.values.items():
                style = _line_style(names.index(name), len(values))
                (lines[name],) = axes.plot(chart.places[name], values, **style)
            axes.set(xlabel=chart.labels[0], ylabel=chart.labels[1], title=chart.title)
            if chart.limits is not None:
                axes.set_ylim(*chart.limits)
            axes.grid(alpha=0.3)
            axes.spines[['top', 'right']].set_visible(False)
        if legend:
            place = dict(loc='outside right center', frameon=False)
            labels = [fitted(shown(name), NAME_WIDTH, 8) for name in lines]
            figure.legend(list(lines.values()), labels, **place)
    return figure


def _line_style(number: int, points: int) -> Dict[str, Any]:
    """Return the style of a line; the first 126 differ from each other."""
    every = -(-points // MARKED) or 1
    return dict(
        color=COLORS[number % len(COLORS)],
        linestyle=DASHES[number % len(DASHES)],
        linewidth=1.4,
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        markeredgecolor='white',
        markeredgewidth=0.4,
        # Markers of lines that coincide alternate.
        markevery=(number % every, every),
    )


def bar_chart(names: Sequence[str], values: Sequence[float], label: str) -> 'Figure':
    """Draw horizontal bars in the given order, those below zero hatched and in another colour.

    Args:
        names (Sequence[str]): Names of the bars, the uppermost first.
        values (Sequence[float]): Their lengths.
        label (str): Label of the horizontal axis.
    """
    with chart_style(names):
        figure = _figure(6.5, 0.8 + 0.2 * len(names))
        axes = figure.add_subplot()
        values = np.asarray(values, dtype=float)
        bars = axes.barh(np.arange(len(names)), values, color=np.where(values < 0, LOSS, GAIN))
        for bar, value in zip(bars, values):
            bar.set_hatch('///' if value < 0 else '')
            bar.set_edgecolor('white')
        # Show the sign of each value if any is negative.
        text = '%+.1f' if (values < 0).any() else '%.1f'
        axes.bar_label(bars, fmt=text, padding=3, fontsize=7)
        labels = [fitted(shown(name), NAME_WIDTH, 8) for name in names]
        axes.set_yticks(np.arange(len(names)), labels, fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.12, y=0.01)
        axes.axvline(0, color='0.3', linewidth=0.8)
        axes.set_xlabel(label)
        axes.spines[['top', 'right']].set_visible(False)
    return figure


def confusion_chart(matrix: np.ndarray, names: Sequence[str]) -> 'Figure':
    """Draw a confusion matrix, rows in % of the clips of their class.

    Args:
        matrix (numpy.ndarray): Counts, rows are the true classes, (K, K).
        names (Sequence[str]): Names of the classes.
    """
    count = len(names)
    shares = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    cell = float(np.clip(12 / count, *CELL))
    side = 4 + cell * min(count, MOST_CELLS)
    size, large = min(8.0, 54 * cell), max(8.0, 0.9 * side)  # points
    step = -(-count // MOST_CELLS)
    with chart_style(names):
        figure = _figure(side + 1, side)
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap='Blues', vmin=0, vmax=100)
        labels = [fitted(shown(name), 0.85 * NAME_WIDTH, size) for name in names[::step]]
        axes.set_xticks(range(0, count, step), labels, rotation=90, fontsize=size)
        axes.set_yticks(range(0, count, step), labels, fontsize=size)
        axes.set_xlabel('predicted', fontsize=large)
        axes.set_ylabel('true', fontsize=large)
        if count <= NAMED_CELLS:
            for row, column in zip(*np.nonzero(matrix)):
                share = shares[row, column]
                color = 'white' if share > 55 else 'black'
                place = dict(ha='center', va='center', fontsize=7)
                axes.text(column, row, f'{share:.0f}', color=color, **place)
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=30)
        bar.set_label('% of the clips of the class', fontsize=large)
        bar.ax.tick_params(labelsize=0.9 * large)
        bar.outline.set_visible(False)
    return figure


def embedding_chart(
    points: np.ndarray, labels: np.ndarray, names: Optional[Sequence[str]] = None
) -> 'Figure':
    """Draw a map of clips, with their class as a colour and as text at its centre.

    Many classes are numbered, and named in a legend.

    Args:
        points (numpy.ndarray): Positions of the clips, shape (N, 2).
        labels (numpy.ndarray): Their classes, shape (N,).
        names (Sequence[str], optional): Names of the classes. Defaults to
            None, their numbers.
    """
    kinds, known = np.unique(labels), {}
    many = len(kinds) > NAMED_GROUPS
    columns = -(-len(kinds) // LEGEND_ROWS) if many and len(kinds) <= LEGEND else 0
    with chart_style(names or ()):
        figure = _figure(8 + 2.5 * columns, 7)
        axes = figure.add_subplot()
        for index, kind in enumerate(kinds):
            own = points[labels == kind]
            marker = 'os^Dv<>P'[index // len(COLORS) % 8]
            color = COLORS[index % len(COLORS)]
            look = dict(s=16, color=color, marker=marker, alpha=0.75, linewidths=0)
            name = shown(names[kind]) if names and kind >= 0 else f'class {kind}'
            known[kind] = fitted(name, 2, 7)
            axes.scatter(*own.T, label=f'{kind}  {known[kind]}', **look)
        for kind in kinds:
            text = str(kind) if many else known[kind]
            box = dict(boxstyle='round,pad=0.15', facecolor='white', edgecolor='none', alpha=0.75)
            middle = np.median(points[labels == kind], axis=0)
            axes.text(*middle, text, fontsize=7, ha='center', va='center', bbox=box)
        if columns:
            figure.legend(loc='outside right center', frameon=False, fontsize=7, ncols=columns)
        axes.set_aspect('equal', adjustable='datalim')
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color('0.8')
    return figure
