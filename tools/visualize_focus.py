"""Draw where a trained network looks in a few test clips.

PNG, SVG or PDF for a page, GIF or MP4 for an animation, by the ending of --out.
A folder gets one file per clip.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from stf_mmaction.engine.adjacency_of_clip import adjacency_of_clip
from stf_mmaction.engine.arguments import (
    add_device_argument,
    add_network_arguments,
    checkpoint,
    existing,
    positive,
)
from stf_mmaction.engine.class_averages import average_classes, ids_and_labels
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.comparisons import COMPARISONS, compare_focus
from stf_mmaction.engine.explainers import EXPLAINERS, explain_with
from stf_mmaction.engine.inference import (
    build_test_dataset,
    check_knows_focus,
    class_names_of,
    focus_of_clip,
    load_model,
    num_classes_of,
)
from stf_mmaction.engine.page_clips import Network, page_clips
from stf_mmaction.files import check_writable
from stf_mmaction.visualization import draw_focus, file_stem, save
from stf_mmaction.visualization.adjacency import draw_adjacency
from stf_mmaction.visualization.animation import ANIMATIONS, animate
from stf_mmaction.visualization.average import draw_classes
from stf_mmaction.visualization.page import write_page
from stf_mmaction.visualization.style import PICTURES, THEMES, check_ending, theme_of
from stf_mmaction.visualization.views import VIEWS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_network_arguments(parser)
    parser.add_argument(
        '--out',
        default='focus.png',
        help='.png, .svg, .pdf, .gif or .mp4 for all clips together, else a folder with one '
        'picture per clip; defaults to focus.png',
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
        help='draw focus maps of each clip side by side: for the two likeliest classes, of the '
        'last two modules, or of the members of an ensemble',
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
        help='of --average: draw the two classes that the network mistakes for each other most',
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
    if args.html and not args.html.endswith('.html'):
        parser.error(f'--html {args.html} must end in .html')
    if args.versus:
        if args.compare:
            parser.error('--versus and --compare cannot be combined: use one of them')
        try:
            args.versus = existing(args.versus[0]), checkpoint(args.versus[1])
        except argparse.ArgumentTypeError as error:
            parser.error(f'--versus: {error}')
    if args.explain != 'focus' and args.compare:
        parser.error(f'--compare shows the focus: leave --explain {args.explain} out')
    args.out = Path(args.out)
    if args.adjacency and (args.html or args.versus or args.compare):
        parser.error(
            '--adjacency cannot be combined with --html, --versus or --compare: use one of them'
        )
    if args.average and (args.adjacency or args.html or args.versus or args.compare or args.clips):
        parser.error(
            '--average cannot be combined with --adjacency, --html, --versus, --compare or --clips'
        )
    if args.confused and (args.labels or not args.average):
        parser.error('--confused chooses the classes of --average: use it without --class')
    if args.average and args.out.suffix.lower() in ANIMATIONS:
        parser.error(f'--average cannot be animated: --out {args.out} must end in .png')
    if args.adjacency and args.out.suffix.lower() in ANIMATIONS:
        parser.error(f'--adjacency cannot be animated: --out {args.out} must end in .png')
    if args.out.suffix and not args.out.is_dir():
        try:
            check_ending(args.out, PICTURES + ANIMATIONS)
        except ValueError as error:
            parser.error(f'--out {error}, or be a folder')
    if args.num_clips is None:
        args.num_clips = 20 if args.html else 4
    return args


def choose(dataset, wanted, count, wanted_labels=None):
    """Return the indices of clips by id, or of the first of each class, then the second ..."""
    ids, labels = zip(*ids_and_labels(dataset))
    if wanted_labels is not None and not wanted:
        own = [i for i, label in enumerate(labels) if label in wanted_labels]
        if not own:
            raise SystemExit('error: no test clip is of that class: choose another --class')
        return own[:count]
    if wanted:
        places = {name: i for i, name in reversed(list(enumerate(ids)))}
        unknown = [name for name in wanted if name not in places]
        if unknown:
            raise SystemExit(
                f'error: clip {unknown[0]} is not in the test split; its first clips are '
                f'{list(ids[:3])}'
            )
        return [places[name] for name in wanted]
    seen, earlier = Counter(), []
    for label in labels:
        earlier.append(seen[label])
        seen[label] += 1
    return np.lexsort((labels, earlier))[:count].tolist()


def clip_id(dataset, index):
    """Return the id of a clip as text."""
    return str(dataset.get_data_info(index).get('frame_dir', index))


def network_names(args):
    """Return the names of the networks: their configs, or their checkpoints if those differ."""
    sources = [(args.config, args.checkpoint)]
    sources += [args.versus] if args.versus else []
    names = [[Path(source).stem for source in column] for column in zip(*sources)]
    names = next((column for column in names if len(set(column)) == len(sources)), ['a', 'b'])
    how = '' if args.explain == 'focus' else f' ({args.explain.replace("_", " ")})'
    return [f'{name}{how}' for name in names]


def load_versus(args, names):
    """Return the second network and its test data."""
    cfg, other = load_model(*args.versus, args.device, args.cfg_options)
    check_knows_focus(other)
    if num_classes_of(other) != len(names):
        raise SystemExit(
            f'error: --versus {args.versus[1]} knows {num_classes_of(other)} classes, the first '
            f'network {len(names)}: compare networks for the same classes'
        )
    if args.explain != 'focus':
        explain_with(other, args.explain)
    return other, build_test_dataset(cfg)


def write_html(args, model, dataset, names):
    """Write the page of one network, or of two."""
    models, datasets = [model], [dataset]
    if args.versus:
        other, clips = load_versus(args, names)
        models.append(other)
        datasets.append(clips)
    networks = list(map(Network, network_names(args), models, datasets))
    write_page(
        args.html,
        page_clips(
            networks, choose(dataset, args.clips, args.num_clips, labels_of(args.labels, names))
        ),
        model.lead.layout,
        [network.name for network in networks],
        names,
        title=f'Where {" and ".join(n.name for n in networks)} look{"" if args.versus else "s"}',
    )
    print(f'wrote {args.html}')


def labels_of(wanted, names):
    """Return the classes of some names, or None for all."""
    for name in wanted or ():
        if name not in names:
            raise SystemExit(f'error: class {name!r} is not one of {names}')
    return wanted and [names.index(name) for name in wanted]


def write_average(args, model, dataset, names):
    """Write a picture of classes, each by the focus for the class itself."""
    labels = labels_of(args.labels, names)
    found = average_classes(model, dataset, names, labels, args.confused)
    figure = draw_classes(found, model.lead.layout, args.view, args.theme)
    path = args.out / f'classes.{args.format}' if not args.out.suffix else args.out
    save(figure, path, theme_of(args.theme))
    print(f'wrote {path}')


def clips_to_draw(args, model, dataset, names):
    """Return a function from the index of a clip to what is drawn of it."""
    if args.compare:
        return lambda index: compare_focus(model, dataset, index, names, args.compare)
    if not args.versus:
        return lambda index: [focus_of_clip(model, dataset, index, names)]
    other, other_data = load_versus(args, names)
    first, second = network_names(args)
    places = {name: i for i, (name, _) in enumerate(ids_and_labels(other_data))}

    def both(index):
        clip = focus_of_clip(model, dataset, index, names)
        name = clip_id(dataset, index)
        if name not in places:
            raise SystemExit(f'error: clip {name} is not in the test split of {second}')
        beside = focus_of_clip(other, other_data, places[name], names)
        return [
            clip._replace(title=f'{first}, {clip.title}'),
            beside._replace(title=f'{second}, {beside.title}'),
        ]

    return both


def write_adjacency(args, model, dataset, names, chosen):
    """Write the adjacency matrices of each clip, or of the first one to a file."""
    one_file = args.out.suffix and not args.out.is_dir()
    if one_file and args.clips and len(chosen) > 1:
        raise SystemExit('error: --adjacency draws one clip per file: make --out a folder')
    for index in chosen[:1] if one_file else chosen:
        clip = focus_of_clip(model, dataset, index, names)
        modules = adjacency_of_clip(model, dataset, index)
        figure = draw_adjacency(modules, clip, model.lead.layout, args.view, args.theme)
        stem = file_stem(clip_id(dataset, index))
        path = args.out if one_file else args.out / f'{stem}.{args.format}'
        save(figure, path, theme_of(args.theme))
        print(f'wrote {path}')


def target_of(args):
    """Return the file that is written, or one in the folder."""
    if args.html:
        return args.html
    is_folder = not args.out.suffix or args.out.is_dir()
    return args.out / f'clip.{args.format}' if is_folder else args.out


def write(args, path, clips, layout):
    """Write one picture or animation."""
    if path.suffix.lower() in ANIMATIONS:
        animate(clips, layout, path, args.view, args.theme, args.fps)
    else:
        save(draw_focus(clips, layout, args.view, args.theme), path, theme_of(args.theme))
    print(f'wrote {path}')


def main() -> None:
    args = parse_args()
    check_writable(target_of(args))
    cfg, model = load_model(args.config, args.checkpoint, args.device, args.cfg_options)
    check_knows_focus(model)
    dataset = build_test_dataset(cfg)
    names = class_names_of(model, dataset, args.class_names)
    if args.explain != 'focus':
        explain_with(model, args.explain)
    if args.html:
        write_html(args, model, dataset, names)
        return
    if args.average:
        write_average(args, model, dataset, names)
        return
    chosen = choose(dataset, args.clips, args.num_clips, labels_of(args.labels, names))
    if args.adjacency:
        write_adjacency(args, model, dataset, names, chosen)
        return
    drawn, layout, out = clips_to_draw(args, model, dataset, names), model.lead.layout, args.out
    if out.suffix and not out.is_dir():
        write(args, out, [clip for index in chosen for clip in drawn(index)], layout)
        return
    for index in chosen:
        stem = file_stem(clip_id(dataset, index))
        write(args, out / f'{stem}.{args.format}', drawn(index), layout)


if __name__ == '__main__':
    run(main)
