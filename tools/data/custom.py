"""Convert your own skeletons, one CSV, NPZ or NPY file per clip, to PoseDataset.

README.md in this folder describes the files.
"""

import argparse
import functools

from stf_mmaction.converters.conversion import convert
from stf_mmaction.converters.custom import ENDINGS, read, unread_columns
from stf_mmaction.converters.labelled import find_labelled, labelled_parser
from stf_mmaction.engine.arguments import positive
from stf_mmaction.engine.cli import run


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = labelled_parser(__doc__, 'a .csv, .npz or .npy file for each clip')
    parser.add_argument(
        '--joints', type=positive, required=True, help='number of joints of the skeleton'
    )
    return parser.parse_args()


def main() -> None:
    """Convert the clips."""
    args = parse_args()
    clips, skipped, classes = find_labelled(args, ENDINGS)
    note = unread_columns(clips)
    if note:
        print(note)
    step = functools.partial(read, joints=args.joints)
    convert(clips, step, args.out, args.workers, skipped, classes=classes)


if __name__ == '__main__':
    run(main)
