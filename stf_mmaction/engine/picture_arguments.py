"""The command line of tools/visualize_focus.py."""

import argparse
from pathlib import Path

from stf_mmaction.visualization.animation import ANIMATIONS
from stf_mmaction.visualization.saving import PICTURES, check_ending
from stf_mmaction.visualization.style import THEMES
from stf_mmaction.visualization.views import VIEWS

from .arguments import (
    add_device_argument,
    add_network_arguments,
    checkpoint,
    existing,
    positive,
)
from .comparisons import COMPARISONS
from .explainers import EXPLAINERS

# options of which one is used at a time
EXCLUSIVE = (
    ('versus', 'compare', 'adjacency', 'average'),
    ('html', 'compare', 'adjacency', 'average'),
    ('average', 'clips'),
    ('confused', 'class'),
)
DEST = {'class': 'labels'}


def parse_picture_arguments(description: str) -> argparse.Namespace:
    """Parse the command line and check it.

    Args:
        description (str): What the tool does.
    """
    parser = argparse.ArgumentParser(description=description)
    add_network_arguments(parser)
    parser.add_argument(
        '--out',
        default='focus.png',
        help=(
            '.png, .svg, .pdf, .gif or .mp4 for all clips together, or else a folder with one '
            'picture per clip; defaults to focus.png'
        ),
    )
    parser.add_argument(
        '--format',
        choices=[ending[1:] for ending in PICTURES + ANIMATIONS],
        default='png',
        help='format of the pictures in a folder; defaults to png',
    )
    parser.add_argument(
        '--clips',
        nargs='+',
        help='ids (frame_dir) of the clips to draw; defaults to one of each of the first classes',
    )
    parser.add_argument(
        '--class',
        dest='labels',
        nargs='+',
        metavar='NAME',
        help='draw only clips of these classes',
    )
    parser.add_argument(
        '--compare',
        choices=COMPARISONS,
        help=(
            'draw focus maps of each clip side by side: for the two most probable classes, of the '
            'last two modules, or of the members of an ensemble'
        ),
    )
    parser.add_argument(
        '--adjacency',
        action='store_true',
        help='draw the adjacency of each STF module instead: fixed, learned and inferred from '
        'the clip; requires a folder as --out, or a single clip',
    )
    parser.add_argument(
        '--average',
        action='store_true',
        help='draw classes instead of clips: the focus of each joint, and along the clip, '
        'averaged over all test clips of a class; --class selects classes',
    )
    parser.add_argument(
        '--confused',
        action='store_true',
        help='with --average: draw the two classes that the network confuses most',
    )
    parser.add_argument(
        '--view',
        choices=['auto', *VIEWS],
        default='auto',
        help='viewpoint of 3D skeletons; defaults to the one that shows the motion best',
    )
    parser.add_argument(
        '--theme', choices=sorted(THEMES), default='light', help='colours; defaults to light'
    )
    parser.add_argument(
        '--fps', type=positive, default=15, help='frames per second of an animation; defaults to 15'
    )
    parser.add_argument(
        '--num-clips',
        type=positive,
        help='number of clips without --clips; defaults to 4 for a picture, 20 for a page',
    )
    parser.add_argument(
        '--class-names',
        type=existing,
        help='text file with one name per line; defaults to those in the data or checkpoint',
    )
    parser.add_argument(
        '--html',
        help='write an HTML page instead, to play, turn and search the clips; it opens offline in '
        'any browser',
    )
    parser.add_argument(
        '--versus',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a second network, shown beside the first',
    )
    parser.add_argument(
        '--explain',
        choices=list(EXPLAINERS),
        default='focus',
        help='map to draw instead of the focus, see docs/faithfulness.md',
    )
    add_device_argument(parser)
    args = parser.parse_args()
    args.out = Path(args.out)
    check(parser, args)
    if args.num_clips is None:
        args.num_clips = 20 if args.html else 4
    return args


def check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what cannot be drawn, before the network is loaded."""
    for together in EXCLUSIVE:
        given = [f'--{name}' for name in together if getattr(args, DEST.get(name, name))]
        if len(given) > 1:
            parser.error(f'{given[0]} and {given[1]} cannot be combined: use one of them')
    if args.html and not args.html.endswith('.html'):
        parser.error(f'--html {args.html} must end in .html')
    if args.versus:
        try:
            args.versus = existing(args.versus[0]), checkpoint(args.versus[1])
        except argparse.ArgumentTypeError as error:
            parser.error(f'--versus: {error}')
    if args.explain != 'focus' and args.compare:
        parser.error(f'--compare shows the focus: leave --explain {args.explain} out')
    if args.confused and not args.average:
        parser.error('--confused chooses classes for --average: use both')
    for still in ('average', 'adjacency'):
        if getattr(args, still) and args.out.suffix.lower() in ANIMATIONS:
            parser.error(f'--{still} cannot be animated: --out {args.out} must end in .png')
    if args.out.suffix and not args.out.is_dir():
        try:
            check_ending(args.out, PICTURES + ANIMATIONS)
        except ValueError as error:
            parser.error(f'--out {error}, or be a folder; an HTML page is --html FILE')
