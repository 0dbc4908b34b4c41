"""Draw the confusion matrix of a test, and print the pairs that are confused most.

Reads a file of ``tools/test.py --dump``. The CSV file beside the picture contains every pair.
"""

import argparse

import numpy as np

from stf_mmaction.engine.arguments import existing, positive
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.dumps import class_names, read
from stf_mmaction.visualization.charts import confusion_chart, save_chart
from stf_mmaction.visualization.saving import check_picture
from stf_mmaction.visualization.style import shown as one_line


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dump', type=existing, help='file of test.py --dump')
    parser.add_argument('--class-names', type=existing, help='text file with one name per line')
    parser.add_argument(
        '--pairs', type=positive, default=5, help='number of confused pairs to print'
    )
    parser.add_argument('--out', default='confusion.png', help='.png, .svg or .pdf')
    return parser.parse_args()


def confusion(scores):
    """Count the clips of each true class (row) and predicted class (column).

    Args:
        scores (dict[str, tuple]): Probabilities (K,) and class of each clip by its id.

    Returns:
        numpy.ndarray: Shape (K, K).
    """
    count = len(next(iter(scores.values()))[0])
    matrix = np.zeros((count, count), dtype=int)
    for values, label in scores.values():
        matrix[label, values.argmax()] += 1
    return matrix


def confused(matrix, names):
    """Return rows (true, predicted, clips, share of the class in %), the largest share first.

    Args:
        matrix (numpy.ndarray): From :func:`confusion`, shape (K, K).
        names (Sequence[str]): K names.
    """
    wrong = matrix * (1 - np.eye(len(matrix), dtype=int))
    shares = 100 * wrong / np.maximum(matrix.sum(1, keepdims=True), 1)
    rows, columns = np.nonzero(wrong)
    order = np.lexsort((columns, rows, -wrong[rows, columns], -shares[rows, columns]))
    return [
        [names[a], names[b], int(wrong[a, b]), float(shares[a, b])]
        for a, b in zip(rows[order], columns[order])
    ]


def main() -> None:
    """Draw the matrix, and print the pairs."""
    args = parse_args()
    out = check_picture(args.out)
    scores = read(args.dump)
    matrix = confusion(scores)
    names = class_names(scores, args.dump, args.class_names)
    pairs = confused(matrix, names)
    table = save_chart(
        confusion_chart(matrix, names), out, ['true', 'predicted', 'clips', 'share_of_class'], pairs
    )
    print(f'{len(scores)} clips, {100 * np.trace(matrix) / matrix.sum():.2f} % correct')
    for true, predicted, clips, share in pairs[: args.pairs]:
        print(f'{share:5.1f} % of {one_line(true)} taken for {one_line(predicted)} ({clips})')
    print(f'wrote {out} and {table}')


if __name__ == '__main__':
    run(main)
