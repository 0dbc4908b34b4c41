"""Define the tables of the papers: their rows, columns, configs and numbers."""

import argparse
import copy
import re
from functools import cache
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import yaml
from mmengine.config import Config, DictAction

from stf_mmaction.locations import CONFIGS, ROOT, TOOLS

# Configs for users, configs that the tables compare with, and small ones for tests.
FOLDERS = (CONFIGS, CONFIGS / 'ablation', ROOT / 'tests/configs')
# Entries of a table that are a config with options: 20 epochs of each network,
# then 6 with STF from those weights, to compare networks on UTD-MHAD.
VARIANTS = {
    'msg3d_utd_mhad_j_20e': (
        'msg3d_utd_mhad_j',
        ['train_cfg.max_epochs=20', 'param_scheduler.0.milestones=[12,17]'],
    ),
    'stf_msg3d_utd_mhad_j_20e': (
        'stf_msg3d_utd_mhad_j_focus',
        [
            'train_cfg.max_epochs=6',
            'train_cfg.val_interval=2',
            'param_scheduler.0.milestones=[2]',
            'param_scheduler.1.milestones=[4]',
            'load_from=work_dirs/msg3d_utd_mhad_j_20e/epoch_20.pth',
        ],
    ),
}
BENCHMARKS = (
    'ntu60_xsub',
    'ntu60_xview',
    'ntu120_xsub',
    'ntu120_xset',
    'k400',
    'utd_mhad',
    'nw_ucla',
    'demo',
    'tiny',
)
# Benchmarks that the other tables have configs for; the first is the default.
TABLES = dict(
    ablation=('ntu60_xsub', 'utd_mhad', 'tiny'),
    scarce=('ntu60_xsub', 'k400', 'utd_mhad', 'tiny'),
    shift=('ntu120_xsub', 'nw_ucla', 'tiny'),
    gcns=('utd_mhad',),
)
# Setting -> column -> configs, whose scores are averaged.
Table = Dict[str, Dict[str, List[str]]]


def table_of(row: str, benchmark: str) -> Table:
    """Return the settings, columns and configs of a row.

    Args:
        row (str): A benchmark, or a key of ``TABLES``.
        benchmark (str): The benchmark of a table.
    """
    if row in BENCHMARKS:
        return {
            setting: {
                'J': [f'{kind}_{row}_j'],
                'B': [f'{kind}_{row}_b'],
                'J+B': [f'{kind}_{row}_j', f'{kind}_{row}_b'],
            }
            for setting, kind in (('MS-G3D', 'msg3d'), ('STF', 'stf_msg3d'))
        }
    if row == 'ablation':
        base = f'{benchmark}_j'
        return {
            setting: {'J': configs}
            for setting, configs in (
                ('MS-G3D', [f'msg3d_{base}']),
                ('+ coherence', [f'stf_msg3d_{base}_c']),
                ('+ divergence', [f'stf_msg3d_{base}_cd']),
                ('+ adjacency', [f'stf_msg3d_{base}_focus']),
                (
                    '+ exploration (STF)',  # from the same baseline
                    [f'stf_msg3d_{base}_focus', f'stf_msg3d_{base}_explore'],
                ),
                ('control: two MS-G3D', [f'msg3d_{base}_x2']),
                ('control: two focus members', [f'stf_msg3d_{base}_focus_x2']),
            )
        }
    if row == 'gcns':
        return {
            f'{title}{end}': {'J': [f'{start}{name}_{benchmark}_j{length}']}
            for title, name, length in (
                ('ST-GCN', 'stgcn', ''),
                ('ST-GCN++', 'stgcnpp', ''),
                ('AAGCN', 'aagcn', ''),
                ('CTR-GCN', 'ctrgcn', ''),
                ('MS-G3D', 'msg3d', '_20e'),
            )
            for end, start in (('', ''), (' with STF', 'stf_'))
        }
    kinds = (('MS-G3D', 'msg3d'), ('STF', 'stf_msg3d'))
    if row == 'shift':
        return {setting: {'J': [f'{kind}_{benchmark}_j_shift']} for setting, kind in kinds}
    percents = (10, 20, 25) if benchmark == 'ntu60_xsub' else (25,)
    streams = 'jb' if benchmark == 'k400' else 'j'
    return {
        f'{setting}, {percent} %': {
            stream.upper(): [f'{kind}_{benchmark}_{stream}_{percent}pct'] for stream in streams
        }
        for percent in percents
        for setting, kind in kinds
    }


@cache
def paper_numbers() -> Dict[str, Dict]:
    """Return what the papers report, top-1 in %, by the title of the table."""
    return yaml.safe_load((TOOLS / 'paper.yml').read_text())


def config_of(name: str) -> Tuple[Path, List[str]]:
    """Return the config file of a table's entry, and its ``--cfg-options``.

    Args:
        name (str): The stem of a config, or a key of ``VARIANTS``; a suffix
            such as ``_10pct`` selects that share of the training clips.

    Raises:
        ValueError: If no folder has that config.
    """
    stem, options = VARIANTS.get(name, (name, []))
    part = re.fullmatch(r'(.+)_(\d+)pct', stem)
    if part:
        stem = part[1]
        options = [f'train_dataloader.dataset.fraction={int(part[2]) / 100}']
    for folder in FOLDERS:
        path = folder / f'{stem}.py'
        if path.is_file():
            return path, list(options)
    raise ValueError(f'there is no config {stem}.py in {", ".join(map(str, FOLDERS))}')


@cache
def _read(name: str) -> Config:
    path, options = config_of(name)
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(parse_options(options))
    return cfg


def read_config(name: str, options: Sequence[str] = ()) -> Config:
    """Return the config of a table's entry.

    Args:
        name (str): See :func:`config_of`.
        options (Sequence[str]): More settings, as ``key=value``. Defaults to ().
    """
    cfg = copy.deepcopy(_read(name))
    cfg.merge_from_dict(parse_options(options))
    return cfg


def parse_options(options: Sequence[str]) -> Dict:
    """Parse settings as ``--cfg-options`` does.

    Args:
        options (Sequence[str]): Settings as ``key=value``.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--o', nargs='+', action=DictAction, default={})
    return parser.parse_args(['--o', *options] if options else []).o
