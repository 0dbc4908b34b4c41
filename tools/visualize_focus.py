"""Draw where a trained network looks in a few test clips."""

import argparse
from pathlib import Path

import numpy as np
from mmengine.config import DictAction

from stf_mmaction.engine.cli import checkpoint, existing, run
from stf_mmaction.engine.inference import (
    build_test_dataset,
    class_names_of,
    focus_of_clip,
    load_model,
)
from stf_mmaction.engine.page_clips import Network, page_clips
from stf_mmaction.visualization import draw_focus
from stf_mmaction.visualization.page import write_page


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=existing, help='config file')
    parser.add_argument('checkpoint', type=checkpoint, help='checkpoint file or URL')
    parser.add_argument('--out', default='focus.png', help='the picture')
    parser.add_argument(
        '--clips',
        nargs='+',
        help='their ids (frame_dir); defaults to one of each of the first classes',
    )
    parser.add_argument(
        '--num-clips',
        type=int,
        help='how many without --clips; defaults to 4 for a picture, 20 for a page',
    )
    parser.add_argument(
        '--class-names',
        type=existing,
        help='text file with one name per line; defaults to those in the data or checkpoint',
    )
    parser.add_argument(
        '--html',
        help='write a page instead, to play, turn and search the clips: one file that opens '
        'offline in any browser',
    )
    parser.add_argument(
        '--versus',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a second network, shown beside the first on the page',
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='settings to override in the config'
    )
    args = parser.parse_args()
    if args.html and not args.html.endswith('.html'):
        parser.error(f'--html {args.html} must end in .html')
    if args.versus:
        if not args.html:
            parser.error('--versus needs --html: two networks are shown side by side on a page')
        try:
            args.versus = existing(args.versus[0]), checkpoint(args.versus[1])
        except argparse.ArgumentTypeError as error:
            parser.error(f'--versus: {error}')
    if args.num_clips is None:
        args.num_clips = 20 if args.html else 4
    return args


def choose(dataset, wanted, count):
    """Indices of clips by id, or of the first clip of each class, then the second, and so on."""
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    ids = [info['frame_dir'] for info in infos]
    if wanted:
        unknown = [name for name in wanted if name not in ids]
        if unknown:
            raise SystemExit(
                f'error: clip {unknown[0]} is not in the test split; its first clips are {ids[:3]}'
            )
        return [ids.index(name) for name in wanted]
    labels = [info['label'] for info in infos]
    earlier = [labels[:i].count(label) for i, label in enumerate(labels)]
    return np.lexsort((labels, earlier))[:count].tolist()


def network_names(args):
    """Names of the networks on a page: their configs, or their checkpoints if those differ."""
    sources = [(args.config, args.checkpoint)]
    sources += [args.versus] if args.versus else []
    names = [[Path(source).stem for source in column] for column in zip(*sources)]
    return next((column for column in names if len(set(column)) == len(sources)), ['a', 'b'])


def write_html(args, model, dataset, names):
    """Write the page of one network, or of two."""
    models, datasets = [model], [dataset]
    if args.versus:
        cfg, other = load_model(*args.versus, args.device, args.cfg_options)
        models.append(other)
        datasets.append(build_test_dataset(cfg))
    networks = list(map(Network, network_names(args), models, datasets))
    write_page(
        args.html,
        page_clips(networks, choose(dataset, args.clips, args.num_clips)),
        model.lead.layout,
        [network.name for network in networks],
        names,
        title=f'Where {" and ".join(n.name for n in networks)} look{"" if args.versus else "s"}',
    )
    print(f'wrote {args.html}')


def main() -> None:
    args = parse_args()
    cfg, model = load_model(args.config, args.checkpoint, args.device, args.cfg_options)
    dataset = build_test_dataset(cfg)
    names = class_names_of(model, dataset, args.class_names)
    if args.html:
        write_html(args, model, dataset, names)
        return
    clips = [
        focus_of_clip(model, dataset, index, names)
        for index in choose(dataset, args.clips, args.num_clips)
    ]
    layout = model.lead.layout
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    draw_focus(clips, layout).savefig(args.out, dpi=110)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run(main)
