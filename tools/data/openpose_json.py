"""Convert OpenPose's JSON files, one per frame, to PoseDataset."""

import argparse
import functools

from stf_mmaction.converters.conversion import convert
from stf_mmaction.converters.labelled import add_persons_argument, find_labelled, labelled_parser
from stf_mmaction.converters.openpose_json import by_clip, read
from stf_mmaction.engine.cli import run


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = labelled_parser(__doc__, 'the JSON files, which may lie in folders below it')
    add_persons_argument(parser)
    return parser.parse_args()


def main() -> None:
    """Convert the clips."""
    args = parse_args()
    videos = ('.mp4', '.avi', '.json')
    clips, skipped, classes = find_labelled(args, ('_keypoints.json',), videos, by_clip)
    step = functools.partial(read, persons=args.persons)
    convert(clips, step, args.out, args.workers, skipped, classes=classes)


if __name__ == '__main__':
    run(main)
