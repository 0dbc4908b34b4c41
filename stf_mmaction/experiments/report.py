"""Tables and plots of results, as docs/evidence.md shows them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Sequence

from stf_mmaction.files import replacing
from stf_mmaction.visualization.charts import COLORS, MARKERS, chart_style

from .pairing import Estimate, difference, estimate, units, values_of
from .table import Table

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.figure import Figure

# Measure -> heading of its column.
TOP1 = dict(
    clean='clean',
    joints='30 % of joints hidden',
    limb='a limb hidden',
    frames='half of the frames lost',
    noise='noise',
    focus_hidden='own focus hidden',
    permuted_hidden='as much, elsewhere',
)
# Likewise: calibration and focus of the clean clips, and what a run cost.
OTHERS = dict(
    ece='ECE',
    coverage='coverage',
    entropy='entropy',
    overlap='overlap of the two likeliest classes',
    cpu_seconds='seconds of a core per run',
)


def with_interval(value: Estimate) -> str:
    """Return a difference as ``+1.2 [-0.3, 2.7]``; without the interval for one or two pairs."""
    text = f'{value.mean:+.1f}'
    return text if value.low is None else f'{text} [{value.low:+.1f}, {value.high:+.1f}]'


def with_deviation(value: Estimate) -> str:
    """Return a mean as ``91.2 ± 0.7``."""
    return f'{value.mean:.1f}' + ('' if value.sd is None else f' ± {value.sd:.1f}')


def markdown(table: Table, lines: Sequence[Dict[str, Any]]) -> str:
    """Return what the page shows of a table.

    Args:
        table (Table): The table.
        lines (Sequence[dict]): Its results.
    """
    parts = []
    for dataset, entry in table.sets.items():
        known = [line for line in lines if line['set'] == dataset]
        if known:
            parts.append(_section(table, dataset, list(entry['splits']), known))
    if not parts:
        return 'Not yet run.\n'
    return '\n'.join(parts)


def _section(table: Table, dataset: str, splits: List[str], lines: List[Dict]) -> str:
    """Return two tables of a data set: accuracy and gains; calibration, focus and cost."""
    names = (*TOP1, *OTHERS)
    values = {(r, n): values_of(lines, r, dataset, n) for r in table.rows for n in names}
    whole = {key: list(units(own, splits).values()) for key, own in values.items()}
    rows = [row for row in table.rows if whole[row, 'clean']]

    def gain(row: str, name: str) -> str:
        level = whole[table.against, name]
        if row == table.against:
            return f'({estimate(level).mean:.1f})' if level else '-'
        found = difference(values[row, name], values[table.against, name], splits)
        return with_interval(found) if found else '-'

    def level(row: str, name: str) -> str:
        return f'{estimate(whole[row, name]).mean:.3g}' if whole[row, name] else '-'

    accuracy = [
        [row, str(len(whole[row, 'clean'])), with_deviation(estimate(whole[row, 'clean']))]
        + [gain(row, name) for name in TOP1]
        for row in rows
    ]
    focus = [[row, *(level(row, name) for name in OTHERS)] for row in rows]
    gains = [f'gain, {text}' for text in TOP1.values()]
    return '\n'.join(
        [
            _grid([dataset, 'n', 'top-1', *gains], accuracy),
            _grid([dataset, *OTHERS.values()], focus),
        ]
    )


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in lines)


def plot(table: Table, lines: Sequence[Dict[str, Any]], path: Path) -> bool:
    """Draw the gain of each row with its interval, one panel per condition.

    Args:
        table (Table): The table.
        lines (Sequence[dict]): Its results.
        path (pathlib.Path): Of the PNG.

    Returns:
        bool: Whether there is anything to draw.
    """
    names = [name for name in TOP1 if name != 'permuted_hidden']
    rows = [row for row in table.rows if row != table.against]
    gains = {
        (dataset, row, name): difference(
            values_of(lines, row, dataset, name),
            values_of(lines, table.against, dataset, name),
            list(entry['splits']),
        )
        for dataset, entry in table.sets.items()
        for row in rows
        for name in names
    }
    rows = [row for row in rows if any(v for (_, r, _), v in gains.items() if r == row)]
    if not rows:
        return False
    with chart_style([*rows, *table.sets]):
        figure = _draw(gains, table, names, rows)
        with replacing(path) as partial:
            figure.savefig(partial, dpi=110, metadata=dict(Software=None))
    return True


def _draw(gains: Dict, table: Table, names: Sequence[str], rows: Sequence[str]) -> 'Figure':
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
                gain = gains[dataset, row, name]
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
