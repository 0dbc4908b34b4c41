"""Charts of results, each with the numbers that it shows in a CSV file beside it."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Union

import numpy as np

from stf_mmaction.files import replacing

from .style import NAME_LENGTH, check_size, shown

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any colour vision; in black and white by the dashes.
COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')
DASHES = ('-', '--', '-.', ':', (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
GAIN, LOSS = COLORS[0], COLORS[1]
SUFFIXES = ('.png', '.svg', '.pdf')
NAMED_CELLS = 30  # classes up to which a confusion matrix shows its numbers


def write_table(path: Union[str, Path], header: Sequence[str], rows: Sequence[Sequence]) -> Path:
    """Write a CSV file, all of it or nothing.

    Args:
        path (str or Path): The file.
        header (Sequence[str]): Names of the columns.
        rows (Sequence[Sequence]): The cells; floats keep 4 decimals.

    Returns:
        Path: The file.
    """
    path = Path(path)
    # Names of files may hold what is no text.
    how = dict(newline='', encoding='utf-8', errors='backslashreplace')
    with replacing(path) as partial, open(partial, 'w', **how) as file:
        table = csv.writer(file, lineterminator='\n')
        table.writerow(header)
        table.writerows([[_cell(value) for value in row] for row in rows])
    return path


def _cell(value: Any) -> Any:
    return f'{value:.4f}' if isinstance(value, (float, np.floating)) else value


def save(
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
    path = check_path(path)
    check_size(figure, 150)
    # Without a date, the same numbers give the same bytes.
    date = {'.svg': 'Date', '.pdf': 'CreationDate'}.get(path.suffix)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=150, metadata={date: None} if date else None)
    return write_table(path.with_suffix('.csv'), header, rows)


def check_path(path: Union[str, Path]) -> Path:
    """Return the path of a chart, or raise a ValueError that says which endings there are."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f'{path} must end in one of {", ".join(SUFFIXES)}')
    return path


def line_chart(
    series: Dict[str, Sequence],
    places: Dict[str, Sequence],
    axes: 'Axes',
    labels: Sequence[str],
) -> None:
    """Draw named lines into axes.

    Args:
        series (dict[str, Sequence]): Values of each line.
        places (dict[str, Sequence]): Their places on the horizontal axis.
        axes (Axes): Where to draw.
        labels (Sequence[str]): Of the two axes.
    """
    for index, (name, values) in enumerate(series.items()):
        style = dict(color=COLORS[index % len(COLORS)], linestyle=DASHES[index % len(DASHES)])
        axes.plot(places[name], values, label=plain(name), linewidth=1.8, **style)
    axes.set_xlabel(plain(labels[0]))
    axes.set_ylabel(plain(labels[1]))
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)


def bar_chart(names: Sequence[str], values: Sequence[float], label: str) -> 'Figure':
    """Draw horizontal bars in the order given, those below zero hatched and in another colour.

    Args:
        names (Sequence[str]): Of the bars, the uppermost first.
        values (Sequence[float]): Their lengths.
        label (str): Of the horizontal axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 1 + 0.24 * len(names)), layout='constrained')
    axes = figure.add_subplot()
    values = np.asarray(values, dtype=float)
    bars = axes.barh(np.arange(len(names)), values, color=np.where(values < 0, LOSS, GAIN))
    for bar, value in zip(bars, values):
        bar.set_hatch('///' if value < 0 else '')
        bar.set_edgecolor('white')
    axes.bar_label(bars, fmt='%+.1f', padding=3, fontsize=7)
    axes.set_yticks(np.arange(len(names)), [plain(name) for name in names], fontsize=8)
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
        names (Sequence[str]): Of the classes.
    """
    count = len(names)
    shares = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 3.5 + 0.3 * min(count, 60)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(side + 1, side), layout='constrained')
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap='Blues', vmin=0, vmax=100)
    size = 8 if count <= NAMED_CELLS else 8 * NAMED_CELLS / count + 1
    labels = [plain(name) for name in names]
    axes.set_xticks(range(count), labels, rotation=90, fontsize=size)
    axes.set_yticks(range(count), labels, fontsize=size)
    axes.set_xlabel('predicted')
    axes.set_ylabel('true')
    if count <= NAMED_CELLS:
        for row, column in zip(*np.nonzero(matrix)):
            share = shares[row, column]
            color = 'white' if share > 55 else 'black'
            place = dict(ha='center', va='center', fontsize=7)
            axes.text(column, row, f'{share:.0f}', color=color, **place)
    figure.colorbar(image, ax=axes, shrink=0.6, label='% of the clips of the class')
    return figure


def embedding_chart(
    points: np.ndarray, labels: np.ndarray, names: Optional[Sequence[str]] = None
) -> 'Figure':
    """Draw a map of clips, their class as a colour and, at its middle, as text.

    Args:
        points (numpy.ndarray): Places of the clips, shape (N, 2).
        labels (numpy.ndarray): Their classes, shape (N,).
        names (Sequence[str], optional): Of the classes. Defaults to None,
            their numbers.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8), layout='constrained')
    axes = figure.add_subplot()
    kinds = np.unique(labels)
    for index, kind in enumerate(kinds):
        own = points[labels == kind]
        marker = 'os^Dv<>P'[index // len(COLORS) % 8]
        color = COLORS[index % len(COLORS)]
        axes.scatter(*own.T, s=16, color=color, marker=marker, alpha=0.75, linewidths=0)
    for kind in kinds:
        text = plain(names[kind]) if names and kind >= 0 else f'class {kind}'
        box = dict(boxstyle='round,pad=0.15', facecolor='white', edgecolor='none', alpha=0.75)
        middle = np.median(points[labels == kind], axis=0)
        axes.text(*middle, text, fontsize=7, ha='center', va='center', bbox=box)
    axes.set_aspect('equal', adjustable='datalim')
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color('0.8')
    return figure


def plain(text: str, length: int = NAME_LENGTH) -> str:
    """Return text on one line, not too long, that Matplotlib does not take for a formula."""
    return shown(str(text), length).replace('$', r'\$')
