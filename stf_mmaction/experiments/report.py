"""Format results as the Markdown tables of docs/evidence.md."""

from typing import Any, Dict, List, Sequence

from .pairing import FEWEST, Estimate, difference, estimate, units, values_of
from .table import Table

# Top-1 of each condition -> heading of its column.
TOP1 = dict(
    clean='clean',
    joints='30 % of joints hidden',
    limb='a limb hidden',
    frames='half of the frames lost',
    noise='noise',
    focus_hidden='own focus hidden',
    permuted_hidden='as much, elsewhere',
)
GAINS = [f'gain, {text}' for text in TOP1.values()]
# Calibration and focus of the clean clips, and the cost of a run -> heading of its column.
OTHERS = dict(
    ece='ECE',
    coverage='coverage',
    entropy='entropy',
    overlap='overlap of the two most probable classes',
    cpu_seconds='seconds of a core per run',
)


def with_interval(value: Estimate) -> str:
    """Format a difference as ``+1.2 [-0.3, +2.7]``, without the interval for one or two pairs."""
    text = f'{value.mean:+.1f}'
    return text if value.low is None else f'{text} [{value.low:+.1f}, {value.high:+.1f}]'


def with_deviation(value: Estimate) -> str:
    """Format a mean as ``91.2 ± 0.7``, without the deviation for one value."""
    return f'{value.mean:.1f}' + ('' if value.sd is None else f' ± {value.sd:.1f}')


def markdown(table: Table, lines: Sequence[Dict[str, Any]]) -> str:
    """Return the Markdown of a table, or ``Not yet run.``

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
    if len(parts) >= FEWEST:
        parts.append(_over_sets(table, lines))
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
        if not whole[row, name]:
            return '-'
        mean = estimate(whole[row, name]).mean
        return f'{mean:.3g}' if mean < 1000 else f'{mean:,.0f}'

    accuracy = [
        [row, str(len(whole[row, 'clean'])), with_deviation(estimate(whole[row, 'clean']))]
        + [gain(row, name) for name in TOP1]
        for row in rows
    ]
    focus = [[row, *(level(row, name) for name in OTHERS)] for row in rows]
    return '\n'.join(
        [
            _grid([dataset, 'n', 'top-1', *GAINS], accuracy),
            _grid([dataset, *OTHERS.values()], focus),
        ]
    )


def _over_sets(table: Table, lines: Sequence[Dict[str, Any]]) -> str:
    """Return a table of the gains averaged over the data sets, each of which counts once."""

    def gains(row: str, name: str) -> List[float]:
        found = []
        for dataset, entry in table.sets.items():
            ours, theirs = (values_of(lines, r, dataset, name) for r in (row, table.against))
            found.append(difference(ours, theirs, list(entry['splits'])))
        return [each.mean for each in found if each]

    rows = []
    for row in table.rows:
        counted = {name: gains(row, name) for name in TOP1}
        if row != table.against and counted['clean']:
            cells = (with_interval(estimate(own)) if own else '-' for own in counted.values())
            rows.append([row, str(len(counted['clean'])), *cells])
    return _grid(['mean of the data sets', 'data sets', *GAINS], rows)


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in lines)
