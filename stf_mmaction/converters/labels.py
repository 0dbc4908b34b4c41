"""Read the table of labels for your own clips."""

import csv
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from stf_mmaction.files import read_text


class Labels(NamedTuple):
    """Contents of a table of labels.

    Attributes:
        rows (list[tuple[str, int, str]]): Clip, label and split.
        classes (tuple[str], optional): Names of the classes, if the table has
            names.
    """

    rows: List[Tuple[str, int, str]]
    classes: Optional[Tuple[str, ...]] = None


def delimiter_of(heading: str) -> str:
    """Return the character that separates columns: a comma, a semicolon or a tab."""
    return max(',;\t', key=heading.count)


def columns_of(heading: List[str]) -> Dict[str, int]:
    """Return the index of each column by its name in lower case."""
    return {name.strip().lower(): place for place, name in reversed(list(enumerate(heading)))}


def read_labels(path: Path) -> Labels:
    """Read a table with the columns ``clip``, ``label`` and optionally ``split``.

    Column names may be in any case and order, and there may be more. Labels are
    numbers of at least 0 (``3``, ``3.0``), or names, which are numbered in
    alphabetical order.

    Raises:
        SystemExit: If this is not such a table.
    """
    lines = read_text(path).splitlines()
    delimiter = delimiter_of(lines[0]) if lines else ','
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        return _read_rows(reader, path)
    except csv.Error as error:
        raise SystemExit(
            f'error: line {reader.line_num} of {path} is not a valid row: {error}'
        ) from None


def _read_rows(reader: Any, path: Path) -> Labels:
    heading = next(reader, [])
    columns = columns_of(heading)
    if not {'clip', 'label'} <= set(columns):
        raise SystemExit(
            f'error: {path} must begin with the line clip,label or clip,label,split, '
            f"not with {','.join(heading)!r}"
        )
    needed = [columns[name] for name in ('clip', 'label', 'split') if name in columns]
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) <= max(needed):
            raise SystemExit(
                f'error: line {reader.line_num} of {path} has {len(cells)} cells, its heading has '
                f'{len(heading)}: {",".join(cells)!r}'
            )
        clip, label, *split = [cells[place].strip() for place in needed]
        if not clip or not label or split == ['']:
            raise SystemExit(
                f'error: line {reader.line_num} of {path} has an empty clip, label or split: '
                f'{",".join(cells)!r}'
            )
        rows.append((clip, label, (split or ['all'])[0], reader.line_num))
    if not rows:
        raise SystemExit(f'error: {path} has no row with a label')
    return _numbered(rows, path)


def _numbered(rows: List[Tuple[str, str, str, int]], path: Path) -> Labels:
    """Turn labels into numbers."""
    numbers = {label: _number(label) for _, label, _, _ in rows}
    named = [label for label, number in numbers.items() if number is None]
    if named and len(named) < len(numbers):
        label = named[0]
        line = next(line for _, other, _, line in rows if other == label)
        raise SystemExit(
            f'error: line {line} of {path} has the label {label!r}, but others have numbers: '
            'use either numbers or names throughout'
        )
    wrong = [(line, label) for _, label, _, line in rows if (numbers[label] or 0) < 0]
    wrong += [(line, label) for _, label, _, line in rows if (numbers[label] or 0) % 1]
    if wrong:
        raise SystemExit(
            f'error: line {wrong[0][0]} of {path} has the label {wrong[0][1]}: labels are whole '
            'numbers of at least 0, or names'
        )
    classes = tuple(sorted(named)) or None
    if classes:
        numbers = {name: place for place, name in enumerate(classes)}
    return Labels([(clip, int(numbers[label]), split) for clip, label, split, _ in rows], classes)


def _number(label: str) -> Optional[float]:
    try:
        number = float(label)
    except ValueError:
        return None
    return number if abs(number) < 2**31 else None  # not infinity, not NaN
