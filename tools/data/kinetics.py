"""Convert Kinetics-Skeleton, as published with ST-GCN, to PoseDataset."""

import argparse

from stf_mmaction.converters.arguments import (
    add_conversion_arguments,
    below_folders,
    existing_folder,
)
from stf_mmaction.converters.conversion import convert
from stf_mmaction.converters.kinetics import find_halves, read
from stf_mmaction.engine.cli import run


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'source',
        type=existing_folder,
        help='folder with kinetics_train, kinetics_val and their labels',
    )
    add_conversion_arguments(parser)
    parser.add_argument(
        '--clip-dir',
        type=below_folders,
        help='write the keypoints of each clip to a file in this folder, which is read on demand; '
        'set data_prefix=dict(skeleton=FOLDER) in the config',
    )
    return parser.parse_args()


def main() -> None:
    """Convert the clips."""
    args = parse_args()
    clips, skipped, classes = find_halves(args.source)
    convert(clips, read, args.out, args.workers, skipped, args.clip_dir, classes)


if __name__ == '__main__':
    run(main)
