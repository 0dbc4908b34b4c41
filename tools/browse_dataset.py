"""Inspect the data of a config before training.

Prints the contents of each split and warns of likely mistakes; draws what enters
the network after the whole pipeline, including augmentation.
"""

import argparse
import copy
from typing import Dict, List, Optional, Sequence

import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress

from stf_mmaction.datasets import get_layout
from stf_mmaction.datasets.clip_view import clip_of
from stf_mmaction.datasets.inspection import (
    SplitSummary,
    class_table,
    summarize,
    warnings_of,
)
from stf_mmaction.datasets.selection import clips_with_ids, spread_over_classes
from stf_mmaction.engine.arguments import add_cfg_options, existing, positive, seed
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.config_file import merge_options, read_config
from stf_mmaction.files import check_writable
from stf_mmaction.visualization import DrawnClip, draw_clips
from stf_mmaction.visualization.saving import check_picture, save

DPI = 100
SPLITS = ('train', 'val', 'test')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', type=existing, help='config file')
    parser.add_argument('--out', default='browse.png', help='.png, .svg or .pdf')
    parser.add_argument(
        '--split', choices=SPLITS, default='train', help='split to draw; defaults to train'
    )
    parser.add_argument(
        '--clips',
        nargs='+',
        help='ids (frame_dir) of the clips to draw; defaults to one clip of each of the first '
        'classes',
    )
    parser.add_argument(
        '--num-clips', type=positive, default=3, help='number of clips without --clips'
    )
    parser.add_argument(
        '--draws',
        type=positive,
        default=2,
        help='passes of each clip through the pipeline, which differ if it is random',
    )
    parser.add_argument('--seed', type=seed, default=0, help='random seed of the augmentation')
    parser.add_argument('--no-counts', action='store_true', help='draw only')
    add_cfg_options(parser)
    return parser.parse_args()


def build_datasets(cfg: Config) -> Dict:
    """Return the data sets of a config by split, without repeated ones.

    Raises:
        ValueError: If the config has no data loader.
    """
    found, known = {}, []
    for split in SPLITS:
        loader = cfg.get(f'{split}_dataloader')
        if loader is not None and loader.dataset not in known:
            known.append(loader.dataset)
            found[split] = DATASETS.build(_joints_of(loader.dataset))
    if not found:
        raise ValueError('the config has no train_dataloader, val_dataloader or test_dataloader')
    return found


def _joints_of(dataset: Dict) -> Dict:
    """Return a data set config whose stream is joints, since bones and motion cannot be drawn."""
    dataset = copy.deepcopy(dataset)
    for key in ('dataset', 'datasets'):
        inner = dataset.get(key)
        if inner is not None:
            dataset[key] = (
                [_joints_of(d) for d in inner] if key == 'datasets' else _joints_of(inner)
            )
    if dataset.get('stream') is not None:
        dataset['stream'] = 'j'
    for step in dataset.get('pipeline', ()):
        if step.get('stream') is not None:
            step['stream'] = 'j'
        if step.get('feats') is not None:
            step['feats'] = ['j']
    return dataset


def layout_of(cfg: Config):
    """Return the layout that the pipeline or the network names.

    Raises:
        ValueError: If neither names one.
    """
    found: List = []

    def visit(value) -> None:
        if isinstance(value, dict):
            if 'layout' in value:
                found.append(value['layout'])
            for item in value.values():
                visit(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                visit(item)

    visit([cfg.get('train_dataloader'), cfg.get('test_dataloader'), cfg.get('model')])
    if not found:
        raise ValueError("the config names no layout: add one to graph_cfg or to PrepareSkeleton")
    layout = found[0]
    return get_layout(layout.to_dict() if hasattr(layout, 'to_dict') else layout)


def num_classes_of(cfg: Config) -> Optional[int]:
    """Return the number of classes of the head, None without a head."""
    model = cfg.get('model') or {}
    head = model.get('cls_head') or (model.get('shared') or {}).get('cls_head') or {}
    return head.get('num_classes')


def print_summary(splits: Dict[str, SplitSummary], names: Optional[Sequence[str]]) -> None:
    """Print classes, persons and frames of each split."""
    rows = class_table(splits, names)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print('  '.join(cells))
    print()
    for name, split in splits.items():
        quarters = np.percentile(split.lengths, [0, 50, 100]).astype(int)
        persons = ', '.join(f'{n} in {count} clips' for n, count in sorted(split.persons.items()))
        print(
            f'{name}: {len(split.lengths)} clips of {len(split.labels)} classes; frames '
            f'{quarters[0]} to {quarters[2]}, median {quarters[1]}; persons: {persons}; '
            f'{split.unseen.mean():.1%} of the joints missing'
        )


def choose(dataset, wanted: Optional[List[str]], count: int) -> List[int]:
    """Return the indices of clips by id, or of clips spread over the classes."""
    clips = [clip_of(dataset, index) for index in range(len(dataset))]
    ids, labels = [clip['frame_dir'] for clip, _ in clips], [kinds[0] for _, kinds in clips]
    return clips_with_ids(ids, wanted) if wanted else spread_over_classes(labels, count)


def draw_inputs(dataset, indices: List[int], draws: int, names: Optional[Sequence[str]]) -> List:
    """Return what enters the network for each clip, once per pass through the pipeline.

    Args:
        dataset (Dataset): The clips; its samples hold ``inputs`` of shape
            (num_clips, M, T, V, C).
        indices (list[int]): Indices of clips.
        draws (int): Number of passes.
        names (Sequence[str], optional): Names of the classes.

    Returns:
        list[DrawnClip]: With the persons who are present.
    """
    drawn = []
    for index in indices:
        info, labels = clip_of(dataset, index)
        channels = info['keypoint'].shape[-1]
        title = ', '.join(
            names[label] if names and label < len(names) else f'class {label}' for label in labels
        )
        for draw in range(draws):
            inputs = dataset[index]['inputs'][0].numpy()  # the first of num_clips
            points = inputs[..., :channels]
            seen = inputs[..., channels] if inputs.shape[-1] > channels else points.any(-1)
            there = seen.any((1, 2)) if seen.any() else np.ones(len(seen), bool)
            shown = (
                f'{info["frame_dir"]}: {title} ({draw + 1} of {draws}, {points.shape[1]} frames)'
            )
            drawn.append(DrawnClip(points[there], seen[there], shown))
    return drawn


def main() -> None:
    """Summarise the splits, and draw some clips."""
    args = parse_args()
    out = check_picture(args.out)
    check_writable(out)
    cfg = read_config(args.config)
    merge_options(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    layout, datasets = layout_of(cfg), build_datasets(cfg)
    metas = [getattr(dataset, 'metainfo', {}) for dataset in datasets.values()]
    names = next((meta['classes'] for meta in metas if meta.get('classes')), None)
    if not args.no_counts:
        splits = {}
        for name, dataset in datasets.items():
            places = track_iter_progress(list(range(len(dataset))))
            splits[name] = summarize((clip_of(dataset, i) for i in places), layout)
        print_summary(splits, names)
        for sentence in warnings_of(splits, layout, num_classes_of(cfg)):
            print(f'warning: {sentence}')
    dataset = datasets.get(args.split, datasets[next(reversed(datasets))])
    np.random.seed(args.seed)
    indices = choose(dataset, args.clips, args.num_clips)
    clips = draw_inputs(dataset, indices, args.draws, names)
    figure = draw_clips(clips, layout)
    save(figure, out, dpi=DPI)
    print(f'wrote {out}')


if __name__ == '__main__':
    run(main)
