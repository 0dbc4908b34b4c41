"""Convert data sets stored as one array (ST-GCN, MS-G3D or CTR-GCN) to PoseDataset."""

import argparse
from pathlib import Path

from stf_mmaction.converters.arguments import add_conversion_arguments
from stf_mmaction.converters.arrays import find_clips, read
from stf_mmaction.converters.conversion import convert
from stf_mmaction.engine.cli import run


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=_source, help='folder with .npy and .pkl files, or .npz')
    add_conversion_arguments(parser)
    return parser.parse_args()


def _source(path: str) -> Path:
    if not Path(path).exists():
        raise argparse.ArgumentTypeError(f'{path} does not exist')
    return Path(path)


def main() -> None:
    """Convert the clips."""
    args = parse_args()
    convert(find_clips(args.source), read, args.out, args.workers, [])


if __name__ == '__main__':
    run(main)
