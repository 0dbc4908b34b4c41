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
    if args.versus and not args.html:
        parser.error('--versus needs --html: two networks are shown side by side on a page')
    if args.num_clips is None:
        args.num_clips = 20 if args.html else 4
    return args


def choose(dataset, wanted, count):
    """Indices of clips by id, or of the first clip of each class."""
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
    _, first = np.unique(labels, return_index=True)
    return first[:count].tolist()


def second_network(args):
    """The network of ``--versus``, in a list, or none."""
    if not args.versus:
        return []
    config, weights = existing(args.versus[0]), checkpoint(args.versus[1])
    cfg, model = load_model(config, weights, args.device, args.cfg_options)
    name = Path(config).stem
    if name == Path(args.config).stem:
        name = f'{name}, {Path(weights).stem}'
    return [Network(name, model, build_test_dataset(cfg))]


def main() -> None:
    args = parse_args()
    cfg, model = load_model(args.config, args.checkpoint, args.device, args.cfg_options)
    dataset = build_test_dataset(cfg)
    names = class_names_of(model, dataset, args.class_names)
    indices = choose(dataset, args.clips, args.num_clips)
    layout = model.lead.layout
    if args.html:
        networks = [Network(Path(args.config).stem, model, dataset), *second_network(args)]
        write_page(
            args.html,
            page_clips(networks, indices),
            layout,
            [network.name for network in networks],
            names,
            title=f'Where {" and ".join(network.name for network in networks)} look',
        )
        print(f'wrote {args.html}')
        return
    clips = [focus_of_clip(model, dataset, index, names) for index in indices]
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    draw_focus(clips, layout).savefig(args.out, dpi=110)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run(main)
