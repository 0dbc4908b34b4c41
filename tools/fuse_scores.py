"""Average the probabilities of several tests, and print their accuracy.

Reads files of ``tools/test.py --dump``. Clips are matched by their id.
"""

import argparse
from pathlib import Path
from typing import Optional, Sequence

import numpy as np
from mmaction.evaluation import confusion_matrix

from stf_mmaction.datasets.class_names import check_class_names
from stf_mmaction.engine.arguments import existing
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.dumps import check, names_of, read
from stf_mmaction.engine.fusion import accuracies, fuse
from stf_mmaction.visualization.charts import write_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dumps', nargs='+', type=existing, help='files of test.py --dump')
    parser.add_argument(
        '--weights', nargs='+', type=float, help='weight of each dump; defaults to equal weights'
    )
    parser.add_argument('--per-class', type=_table, help='CSV file for the accuracy of each class')
    args = parser.parse_args()
    if args.weights is None:
        args.weights = [1.0] * len(args.dumps)
    if len(args.weights) != len(args.dumps):
        parser.error(
            f'{len(args.weights)} --weights do not match {len(args.dumps)} dumps: give one for each'
        )
    if min(args.weights) < 0 or not 0 < sum(args.weights) < np.inf:
        parser.error(f'--weights {args.weights} must be finite and not negative, and not all zero')
    return args


def _table(path: str) -> Path:
    """Check that a CSV file can be written there, as an argparse type."""
    if not path.endswith('.csv'):
        raise argparse.ArgumentTypeError(f'{path} must end in .csv')
    if not Path(path).parent.is_dir():
        raise argparse.ArgumentTypeError(
            f'folder {Path(path).parent} does not exist: create it first'
        )
    return Path(path)


def write_classes(
    path: Path, scores: np.ndarray, labels: np.ndarray, names: Optional[Sequence[str]] = None
) -> None:
    """Write clips, accuracy and the most frequent mistake of each class as CSV.

    Args:
        path (pathlib.Path): The table.
        scores (numpy.ndarray): Probabilities (N, K).
        labels (numpy.ndarray): Classes (N,).
        names (Sequence[str], optional): Names of the K classes, for two more
            columns. Defaults to None.
    """
    if names is not None:
        check_class_names(names, scores.shape[1], 'the first dump')
    matrix = confusion_matrix(scores.argmax(1), labels)
    kinds = np.unique(np.concatenate([scores.argmax(1), labels]))
    rows = []
    for kind, counts in zip(kinds, matrix):
        wrong, count = counts * (kinds != kind), counts.sum()
        other = kinds[wrong.argmax()] if wrong.any() else ''
        if count:
            top1 = f'{100 * (count - wrong.sum()) / count:.2f}'
            rows.append([kind, count, top1, other])
            if names is not None:
                rows[-1] += [names[kind], names[other] if wrong.any() else '']
    more = [] if names is None else ['name', 'taken_for_name']
    write_table(path, ['class', 'clips', 'top1', 'taken_for', *more], rows)


def main() -> None:
    """Print the accuracy of each test and of their mean."""
    args = parse_args()
    dumps = [read(path) for path in args.dumps]
    for path, dump in zip(args.dumps[1:], dumps[1:]):
        check(dumps[0], dump, path)
    width = max(len(Path(path).name) for path in args.dumps)
    print(f'{len(dumps[0])} clips')
    print(f'{"":{width}s}   top-1   top-5   mean class')
    rows = [(Path(path).name, *fuse([dump], [1])) for path, dump in zip(args.dumps, dumps)]
    rows.append(('fused', *fuse(dumps, args.weights)))
    for name, scores, labels in rows:
        print(f'{name:{width}s} {{:7.2f}} {{:7.2f}} {{:7.2f}}'.format(*accuracies(scores, labels)))
    if args.per_class:
        write_classes(args.per_class, *rows[-1][1:], names_of(dumps))


if __name__ == '__main__':
    run(main)
