"""Convert the raw skeletons of NTU RGB+D 60 or 120 to PoseDataset.

``stf_mmaction/converters/ntu_persons.py`` describes how the persons are chosen.
"""

import argparse

from stf_mmaction.converters.arguments import add_conversion_arguments, existing_folder
from stf_mmaction.converters.conversion import convert
from stf_mmaction.converters.ntu import find_clips, read, read_missing, tell_missing
from stf_mmaction.engine.arguments import existing
from stf_mmaction.engine.cli import run


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('classes', type=int, choices=[60, 120], help='NTU-60 or NTU-120')
    parser.add_argument(
        'source',
        type=existing_folder,
        help='folder with the .skeleton files, which may lie in folders below it',
    )
    add_conversion_arguments(parser)
    parser.add_argument(
        '--missing',
        type=existing,
        help='list of the clips to leave out, one name per line: the data '
        "set's own list of samples with missing skeletons",
    )
    return parser.parse_args()


def main() -> None:
    """Convert the clips."""
    args = parse_args()
    missing = read_missing(args.missing) if args.missing else set()
    clips, skipped = find_clips(args.source, args.classes, missing)
    tell_missing(args.source, args.missing, missing)
    convert(clips, read, args.out, args.workers, skipped)


if __name__ == '__main__':
    run(main)
