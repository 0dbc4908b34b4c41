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
from stf_mmaction.visualization import draw_focus


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
    parser.add_argument('--num-clips', type=int, default=4, help='how many without --clips')
    parser.add_argument(
        '--class-names',
        type=existing,
        help='text file with one name per line; defaults to those in the data or checkpoint',
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='settings to override in the config'
    )
    return parser.parse_args()


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


def main() -> None:
    args = parse_args()
    cfg, model = load_model(args.config, args.checkpoint, args.device, args.cfg_options)
    dataset = build_test_dataset(cfg)
    names = class_names_of(model, dataset, args.class_names)
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
