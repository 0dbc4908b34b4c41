"""Plot results, each plot with its numbers in a CSV file beside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from stf_mmaction.visualization.charts import (
    COLORS,
    MARKERS,
    LineChart,
    chart_style,
    line_charts,
    save_chart,
)

from .pairing import Estimate, difference, values_of
from .report import TOP1
from .table import Table

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.figure import Figure

Gains = Dict[Tuple[str, str, str], Optional[Estimate]]


def plot_gains(table: Table, lines: Sequence[Dict[str, Any]], path: Path) -> bool:
    """Draw the gain of each row with its interval, one panel per condition.

    Args:
        table (Table): The table.
        lines (Sequence[dict]): Its results.
        path (pathlib.Path): The picture; a CSV file is written beside it.

    Returns:
        bool: Whether there is anything to draw.
    """
    names = [name for name in TOP1 if name != 'permuted_hidden']
    gains: Gains = {
        (dataset, row, name): difference(
            values_of(lines, row, dataset, name),
            values_of(lines, table.against, dataset, name),
            list(entry['splits']),
        )
        for dataset, entry in table.sets.items()
        for row in table.rows
        if row != table.against
        for name in names
    }
    known = {key: gain for key, gain in gains.items() if gain is not None}
    if not known:
        return False
    rows = list(dict.fromkeys(row for _, row, _ in known))
    with chart_style([*rows, *table.sets]):
        figure = _draw_gains(known, table, names, rows)
    cells = [[*key, gain.mean, gain.low, gain.high] for key, gain in known.items()]
    save_chart(figure, path, ('set', 'row', 'condition', 'gain', 'low', 'high'), cells)
    return True


def _draw_gains(gains: Dict, table: Table, names: Sequence[str], rows: Sequence[str]) -> 'Figure':
    from matplotlib.figure import Figure

    sets = list(table.sets)
    size = (1.5 + 1.7 * len(names), 0.9 + 0.34 * len(rows) * len(sets))
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, name in zip(axes, names):
        axis.axvline(0, color='0.6', linewidth=0.8, linestyle='--')
        for index, dataset in enumerate(sets):
            look = dict(color=COLORS[index % len(COLORS)], marker=MARKERS[index % len(MARKERS)])
            for place, row in enumerate(rows):
                gain = gains.get((dataset, row, name))
                if gain is None:
                    continue
                y = place + 0.6 * (index - (len(sets) - 1) / 2) / len(sets)
                if gain.low is not None:
                    axis.plot([gain.low, gain.high], [y, y], color=look['color'], linewidth=1.5)
                label = dataset if place == 0 else None
                axis.plot(gain.mean, y, markersize=5, label=label, **look)
        axis.set_title(TOP1[name], fontsize=8)
        axis.set_ylim(len(rows) - 0.5, -0.5)  # the first row uppermost
        axis.spines[['top', 'right', 'left']].set_visible(False)
        axis.spines['bottom'].set_color('0.3')
    axes[0].set_yticks(range(len(rows)), rows, fontsize=8)
    figure.supxlabel(f'points of top-1 over {table.against}, 95 % interval', fontsize=8)
    if len(sets) > 1:
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc='outside right center', frameon=False
        )
    return figure


def plot_curves(table: Table, lines: Sequence[Dict[str, Any]], path: Path) -> bool:
    """Draw each training loss over the epochs, the mean of a row's runs, one panel per loss.

    Args:
        table (Table): The table.
        lines (Sequence[dict]): Its results.
        path (pathlib.Path): The picture; a CSV file is written beside it.

    Returns:
        bool: Whether there is anything to draw.
    """
    charts, cells = [], []
    for dataset in table.sets:
        curves: Dict[str, Dict[str, List]] = {}
        for line in lines:
            own = line.get('curves', {}) if line['set'] == dataset else {}
            for loss in (name for name in own if name.startswith('loss_')):
                curves.setdefault(loss, {}).setdefault(line['row'], []).append(own[loss])
        for loss, rows in curves.items():
            means = {row: np.mean(rows[row], 0) for row in table.rows if row in rows}
            epochs = {row: range(1, 1 + len(mean)) for row, mean in means.items()}
            charts.append(LineChart(means, epochs, ('epoch', loss), dataset))
            cells += [
                [dataset, loss, row, epoch, value]
                for row, mean in means.items()
                for epoch, value in zip(epochs[row], mean)
            ]
    if charts:
        save_chart(line_charts(charts), path, ('set', 'loss', 'row', 'epoch', 'value'), cells)
    return bool(charts)
