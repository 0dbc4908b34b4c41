"""Average the probabilities of several tests, and say how good they are.

Takes files of ``tools/test.py --dump``. Clips are matched by their id.
"""

import argparse
import csv
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
from mmaction.evaluation import confusion_matrix, top_k_accuracy

from stf_mmaction.datasets.class_names import check_class_names
from stf_mmaction.engine.cli import existing, run
from stf_mmaction.engine.dumps import Scores, check, read, read_names
from stf_mmaction.files import replacing


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dumps', nargs='+', type=existing, help='files of test.py --dump')
    parser.add_argument(
        '--weights', nargs='+', type=float, help='of the dumps; by default all count the same'
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
        parser.error(f'--weights {args.weights} must be finite and not negative, nor all be zero')
    return args


def _table(path: str) -> Path:
    """Check a name for a table, as an argparse type: writable, and no dump."""
    if not path.endswith('.csv'):
        raise argparse.ArgumentTypeError(f'{path} must end in .csv')
    if not Path(path).parent.is_dir():
        raise argparse.ArgumentTypeError(
            f'folder {Path(path).parent} does not exist: make it first'
        )
    return Path(path)


def fuse(dumps: Sequence[Scores], weights: Sequence[float]) -> Tuple[np.ndarray, np.ndarray]:
    """Average probabilities with weights.

    Args:
        dumps (Sequence[dict]): From :func:`read`, of the same clips.
        weights (Sequence[float]): One for each.

    Returns:
        tuple[np.ndarray]: Probabilities (N, K) and labels (N,), in the order
        of the first dump.
    """
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    scores = np.stack(
        [sum(share * dump[clip][0] for share, dump in zip(shares, dumps)) for clip in dumps[0]]
    )
    return scores, np.array([label for _, label in dumps[0].values()])


def accuracies(scores: np.ndarray, labels: np.ndarray) -> List[float]:
    """Compute top-1, top-5 and mean class accuracy in %.

    The mean is over the classes that have clips. (MMAction2's counts those
    that were only predicted as 0.)

    Args:
        scores (ndarray): Probabilities (N, K).
        labels (ndarray): Classes (N,).
    """
    top1, top5 = top_k_accuracy(scores, labels, (1, 5))
    hits = scores.argmax(1) == labels
    mean = np.mean([hits[labels == kind].mean() for kind in np.unique(labels)])
    return [100 * value for value in (top1, top5, mean)]


def write_classes(
    path: Path, scores: np.ndarray, labels: np.ndarray, names: Optional[Sequence[str]] = None
) -> None:
    """Write clips, accuracy and the likeliest mistake of each class as CSV.

    Args:
        path (Path): The table.
        scores (ndarray): Probabilities (N, K).
        labels (ndarray): Classes (N,).
        names (Sequence[str], optional): Of the K classes, for two more
            columns. Defaults to None.
    """
    if names is not None:
        check_class_names(names, scores.shape[1], 'the first dump')
    matrix = confusion_matrix(scores.argmax(1), labels)
    kinds = np.unique(np.concatenate([scores.argmax(1), labels]))
    with replacing(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        table = csv.writer(file)
        more = [] if names is None else ['name', 'taken_for_name']
        table.writerow(['class', 'clips', 'top1', 'taken_for', *more])
        for row, kind in enumerate(kinds):
            count = matrix[row].sum()
            if not count:
                continue
            wrong = matrix[row].copy()
            wrong[row] = 0
            other = kinds[wrong.argmax()] if wrong.any() else ''
            top1 = f'{100 * matrix[row, row] / count:.2f}'
            more = []
            if names is not None:
                more = [names[kind], names[other] if wrong.any() else '']
            table.writerow([kind, count, top1, other, *more])


def main() -> None:
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
        write_classes(args.per_class, *rows[-1][1:], read_names(args.dumps))


if __name__ == '__main__':
    run(main)
