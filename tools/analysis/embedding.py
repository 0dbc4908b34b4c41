"""Draw test clips in two dimensions by their features.

Reads a file of ``tools/test.py --features``.
"""

import argparse

import numpy as np

from stf_mmaction.datasets.class_names import as_class_names
from stf_mmaction.engine.arguments import existing, seed
from stf_mmaction.engine.cli import run
from stf_mmaction.files import read_arrays
from stf_mmaction.visualization.charts import embedding_chart, save_chart
from stf_mmaction.visualization.saving import check_picture

KEYS = ('features', 'labels', 'ids')
MAKER = 'tools/test.py --features'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('features', type=existing, help='file of test.py --features')
    parser.add_argument(
        '--method',
        choices=['pca', 'tsne'],
        default='pca',
        help='principal components (pca), or t-SNE of scikit-learn (tsne)',
    )
    parser.add_argument('--seed', type=seed, default=0, help='random seed of t-SNE')
    parser.add_argument('--out', default='embedding.png', help='.png, .svg or .pdf')
    return parser.parse_args()


def load(path):
    """Return the features (N, C), labels (N,), ids (N,) and class names, None if unknown.

    Raises:
        ValueError: If the arrays do not fit together, or features are not finite.
    """
    arrays = read_arrays(path, KEYS, MAKER)
    features, labels, ids = (arrays[key] for key in KEYS)
    if (
        features.ndim != 2
        or features.dtype.kind not in 'fiu'
        or labels.dtype.kind not in 'iu'
        or not features.size
        or not labels.shape == ids.shape == features.shape[:1]
    ):
        raise ValueError(
            f'{path} is not a file of {MAKER}: features of shape {features.shape} and type '
            f'{features.dtype}, labels {labels.shape} {labels.dtype} and ids {ids.shape} do not '
            'fit together'
        )
    features = features.astype(np.float64)
    if not (abs(features) < 1e30).all():
        raise ValueError(
            f'{path} has features that are not finite: test a network with finite weights'
        )
    names = None if 'classes' not in arrays else as_class_names(arrays['classes'], str(path))
    if labels.min() < -1 or names and labels.max() >= len(names):
        raise ValueError(
            f'{path} has labels from {labels.min()} to {labels.max()} for '
            f'{len(names or ())} class names: test again'
        )
    return features, labels, ids, names


def principal_components(features):
    """Project clips onto the two directions of the largest variance.

    The largest weight of each direction is positive, so that signs are reproducible.

    Args:
        features (numpy.ndarray): Shape (N, C).

    Returns:
        numpy.ndarray: Shape (N, 2); zeros in place of a direction that does not exist.
    """
    centred = features.astype(np.float64) - features.mean(0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(1)])
    points = np.zeros((len(features), 2))
    kept = min(2, len(sizes))
    points[:, :kept] = (left * sizes * signs)[:, :kept]
    return points


def t_sne(features, seed):
    """Embed clips by t-SNE (van der Maaten and Hinton, 2008).

    Args:
        features (numpy.ndarray): Shape (N, C).
        seed (int): Random seed.

    Returns:
        numpy.ndarray: Shape (N, 2).

    Raises:
        ValueError: If scikit-learn is not installed, or the clips are too few or all alike.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise ValueError(
            '--method tsne needs scikit-learn: run "pip install scikit-learn" (extra "analysis"), '
            'or use pca'
        ) from None
    if len(features) < 4:
        raise ValueError(f'--method tsne needs at least 4 clips, not {len(features)}: use pca')
    # scikit-learn's initialisation requires two features, and crashes if their spread is zero.
    start = principal_components(features)
    spread = start[:, 0].std()
    if spread <= 1e-6 * abs(features).max():
        raise ValueError('--method tsne needs clips that differ: all have the same features')
    perplexity = min(30, (len(features) - 1) / 3)
    init = (1e-4 / spread * start).astype(np.float32)
    method = TSNE(init=init, perplexity=perplexity, random_state=seed)
    return method.fit_transform(features.astype(np.float32))


def main() -> None:
    """Draw the clips."""
    args = parse_args()
    out = check_picture(args.out)
    features, labels, ids, names = load(args.features)
    points = principal_components(features) if args.method == 'pca' else t_sne(features, args.seed)
    rows = [
        [clip, label, names[label] if names and label >= 0 else '', *map(float, point)]
        for clip, label, point in zip(ids, labels, points)
    ]
    figure = embedding_chart(points, labels, names)
    table = save_chart(figure, out, ['clip', 'label', 'class', 'x', 'y'], rows)
    print(f'wrote {out} and {table}')


if __name__ == '__main__':
    run(main)
