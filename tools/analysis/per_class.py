"""Report a test class by class, or the difference of two tests, sorted by gain.

Reads files of ``tools/test.py --dump``. With ``--versus`` the bars are those of the paper's Fig. 3:
the gain of the first test over the second for each class.
"""

import argparse

import numpy as np

from stf_mmaction.engine.arguments import existing, positive
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.dumps import check, class_names, read
from stf_mmaction.visualization.charts import bar_chart, save_chart
from stf_mmaction.visualization.saving import check_picture
from stf_mmaction.visualization.style import shown as one_line

REPORT = ['class', 'clips', 'recall', 'precision', 'f1', 'taken_for']


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dump', type=existing, help='file of test.py --dump')
    parser.add_argument('--versus', type=existing, help='dump of another test of the same clips')
    parser.add_argument('--class-names', type=existing, help='text file with one name per line')
    parser.add_argument('--most', type=positive, help='draw only this many classes from either end')
    parser.add_argument('--out', default='per_class.png', help='.png, .svg or .pdf')
    return parser.parse_args()


def report(scores, names):
    """Return a row for each class that has clips.

    Args:
        scores (dict[str, tuple]): Probabilities (K,) and class of each clip by its id.
        names (Sequence[str]): K names.

    Returns:
        list[list]: Cells as in ``REPORT``; recall, precision and F1 in %.
    """
    labels = np.array([label for _, label in scores.values()])
    predicted = np.array([values.argmax() for values, _ in scores.values()])
    rows = []
    for kind in np.unique(labels):
        own, hits = labels == kind, ((labels == kind) & (predicted == kind)).sum()
        said = (predicted == kind).sum()
        wrong = np.bincount(predicted[own & (predicted != kind)], minlength=len(names))
        rows.append(
            [
                names[kind],
                int(own.sum()),
                100 * hits / own.sum(),
                100 * hits / said if said else 0.0,
                200 * hits / (own.sum() + said),
                names[wrong.argmax()] if wrong.any() else '',
            ]
        )
    return rows


def gains(rows, others):
    """Return rows (class, clips, recall, other recall, gain), the largest gain first.

    Args:
        rows, others (list[list]): From :func:`report`, for the same clips.
    """
    pairs = [
        [name, clips, recall, other[2], recall - other[2]]
        for (name, clips, recall, *_), other in zip(rows, others)
    ]
    return sorted(pairs, key=lambda row: -row[-1])


def shown(rows, most):
    """Return the first and the last ``most`` rows, or all."""
    return rows if most is None or 2 * most >= len(rows) else rows[:most] + rows[-most:]


def main() -> None:
    """Print and draw the report."""
    args = parse_args()
    out = check_picture(args.out)
    scores = read(args.dump)
    names = class_names(scores, args.dump, args.class_names)
    header, rows = REPORT, report(scores, names)
    label = 'recall in %'
    if args.versus:
        other = read(args.versus)
        check(scores, other, args.versus)
        header = ['class', 'clips', 'recall', 'recall_versus', 'gain']
        rows = gains(rows, report(other, names))
        label = 'gain in recall, points'
    column = header.index('gain' if args.versus else 'recall')
    drawn = shown(sorted(rows, key=lambda row: -row[column]), args.most)
    figure = bar_chart([row[0] for row in drawn], [row[column] for row in drawn], label)
    table = save_chart(figure, out, header, rows)
    width = max(len(one_line(row[0])) for row in [header, *rows])
    print(f'{header[0]:{width}s}', *(f'{title:>13s}' for title in header[1:]))
    for name, *cells in rows:
        print(f'{one_line(name):{width}s}', *(_text(cell) for cell in cells))
    if args.versus:
        up, down = (sum(sign * row[-1] > 0 for row in rows) for sign in (1, -1))
        print(f'classes: {up} gain, {down} lose, {len(rows) - up - down} stay the same')
    print(f'wrote {out} and {table}')


def _text(cell) -> str:
    if isinstance(cell, (float, np.floating)):
        return f'{cell:13.2f}'
    return f'{one_line(str(cell)):>13}'


if __name__ == '__main__':
    run(main)
