"""Write metafile.yml and the tables of configs/README.md from the configs.

What the papers report comes from tools/paper.yml, what was measured here from
tools/results.yml, FLOPs and parameters are counted.
"""

import argparse
from functools import cache
from pathlib import Path
from typing import Any, Dict, List, Tuple

import yaml
from get_flops import measure
from mmengine.config import Config
from reproduce import TABLES, table_of
from reproduce_job import config_of

from stf_mmaction.datasets.layouts import get_layout
from stf_mmaction.engine.cli import run

ROOT = Path(__file__).resolve().parents[1]
DATASETS = dict(
    ntu60='NTU RGB+D 60',
    ntu120='NTU RGB+D 120',
    k400='Kinetics-Skeleton 400',
    utd='UTD-MHAD',
    nw='NW-UCLA',
    demo='UI-PRMD (bundled)',
)
STREAMS = dict(j='joints', b='bones', jm='joint motion', bm='bone motion', jb='joints and bones')
# Title and paper of each network; of a config, by its name.
NETWORKS = dict(
    msg3d=(
        'MS-G3D',
        'Disentangling and Unifying Graph Convolutions for Skeleton-Based Action Recognition',
        '2003.14111',
    ),
    stgcn=(
        'ST-GCN',
        'Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition',
        '1801.07455',
    ),
    stgcnpp=(
        'ST-GCN++',
        'PYSKL: Towards Good Practices for Skeleton Action Recognition',
        '2205.09443',
    ),
    aagcn=(
        'AAGCN',
        'Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph Convolutional Networks',
        '1912.06971',
    ),
    ctrgcn=(
        'CTR-GCN',
        'Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action Recognition',
        '2107.12213',
    ),
)
NETWORKS['2sagcn'] = (
    '2s-AGCN',
    'Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action Recognition',
    '1805.07694',
)
STF = ('Towards To-a-T Spatio-Temporal Focus for Skeleton-Based Action Recognition', '2202.02314')
COLUMNS = (
    'config',
    'stream',
    'frames',
    'GPUs x batch',
    'backbone',
    'epochs',
    'FLOPs',
    'params',
    'testing',
    'top-1, paper',
    'top-1, ours',
    'seeds',
    'ckpt',
    'log',
)
NOT_RUN = ''
FOLDERS = ('configs', 'configs/ablation')
START = '<!-- tables: written by tools/zoo.py -->'
_counted: Dict[str, Tuple[int, int]] = {}


def names() -> List[str]:
    """Return the configs in the order of the tables."""
    order = list(DATASETS)
    return sorted(
        (path.stem for folder in FOLDERS for path in (ROOT / folder).glob('*.py')),
        key=lambda n: (
            order.index(_data(n)),
            _split(n),
            network(n) != 'msg3d',
            network(n),
            n.startswith('stf'),
            n,
        ),
    )


def _data(name: str) -> str:
    return next(key for key in DATASETS if f'_{key}_' in name)


def _split(name: str) -> str:
    return next((s for s in ('xsub', 'xview', 'xset') if f'_{s}_' in name), '')


def network(name: str) -> str:
    """Return key of ``NETWORKS``."""
    return name.removeprefix('stf_').split('_')[0]


def stream(name: str) -> str:
    """Return j, b, jm, bm or jb."""
    return next(part for part in name.split('_') if part in STREAMS)


def heading(name: str) -> str:
    """Return data set and split of a config or benchmark."""
    name = f'_{name}_'
    return f'{DATASETS[_data(name)]} {_split(name)}'.strip()


@cache
def numbers() -> Dict[str, Dict]:
    """Return what the papers report, by the title of the table."""
    return yaml.safe_load((ROOT / 'tools/paper.yml').read_text())


def paper(name: str) -> str:
    """Return the paper's top-1 for a config in %, or a dash."""
    for title, theirs in numbers().items():
        table = table_of(title.split()[0], title.split()[-1])
        for setting, cells in table.items():
            for column, configs in cells.items():
                if configs == [name] and column in theirs.get(setting, {}):
                    return f'{theirs[setting][column]:.2f}'
    return '-'


def paper_table(title: str, results: Dict) -> List[str]:
    """Return the lines of a table of the paper, its numbers beside ours."""
    row, bench = title.split()[0], title.split()[-1]
    table = table_of(row, bench)
    columns = list(next(iter(table.values())))
    extra = f' {bench}' if bench not in (row, TABLES.get(row, [''])[0]) else ''
    heads = [f'{c}, {whose}' for c in columns for whose in ('paper', 'ours')]
    lines = [
        f'`bash tools/reproduce.sh {row} 4{extra}`:',
        '',
        '| setting | ' + ' | '.join(heads) + ' |',
        '|' + ' --- |' * (1 + len(heads)),
    ]
    for setting, cells in table.items():
        theirs, line = numbers()[title].get(setting, {}), [setting]
        for column, configs in cells.items():
            line += [
                f'{theirs[column]:.2f}' if column in theirs else '-',
                results.get('+'.join(configs), {}).get('top1', NOT_RUN),
            ]
        lines.append('| ' + ' | '.join(line) + ' |')
    return lines


def count(name: str, cfg: Config) -> Tuple[int, int, int]:
    """Return the parameters, multiply-adds and frames of one clip."""
    net = (cfg.model.get('shared') or cfg.model).backbone
    joints = get_layout(net.graph_cfg.layout).num_node
    data = cfg.test_dataloader.dataset
    frames = next(
        step.get('length') or step.get('clip_len')
        for step in data.pipeline
        if step['type'] in ('PadTo', 'UniformSampleFrames')
    )
    shape = (1, net.get('num_person', 2), frames, joints, net.get('in_channels', 3))
    key = f'{cfg.model}{shape}'
    if key not in _counted:
        _counted[key] = measure(str(config_of(name)[0]), shape)[1:]
    return (*_counted[key], frames)


def describe(name: str, results: Dict) -> Dict:
    """Describe a config for the table and the metafile."""
    path = config_of(name)[0]
    cfg = Config.fromfile(path)
    loader = cfg.train_dataloader
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    own = results.get(name, {})
    params, flops, frames = count(name, cfg)
    title = NETWORKS[network(name)][0]
    if name.startswith('stf'):
        title = 'STF-GCN' if title == 'MS-G3D' else f'{title} with STF'
    clips = next(
        (
            step.get('num_clips', 1)
            for step in cfg.test_dataloader.dataset.pipeline
            if step['type'] == 'UniformSampleFrames'
        ),
        1,
    )
    if _data(name) in ('ntu60', 'ntu120', 'k400'):
        machine = f'{base // loader.batch_size} x {loader.batch_size}'
    else:
        machine = f'CPU x {loader.batch_size}'
    return {
        'config': f'[{name}]({path.relative_to(ROOT / "configs")})',
        'stream': STREAMS[stream(name)],
        'frames': frames,
        'GPUs x batch': machine,
        'backbone': title,
        'epochs': cfg.train_cfg.max_epochs * loader.dataset.get('times', 1),
        'FLOPs': f'{flops / 1e9:.2f}G',
        'params': f'{params / 1e6:.3f}M',
        'testing': f'{clips} clip' + 's' * (clips > 1),
        'top-1, paper': paper(name),
        'top-1, ours': own.get('top1', NOT_RUN),
        'seeds': own.get('seeds', '-'),
        **{key: f'[{key}]({own[key]})' if key in own else '-' for key in ('ckpt', 'log')},
    }


def tables(rows: Dict[str, Dict], results: Dict) -> str:
    """Return for each benchmark the paper's tables, and one of all configs."""
    text, title = [], None
    for name, row in rows.items():
        if heading(name) != title:
            title = heading(name)
            text += ['', f'## {title}', '']
            for table in numbers():
                if heading(table.split()[-1]) == title:
                    text += [*paper_table(table, results), '']
            text += ['| ' + ' | '.join(COLUMNS) + ' |', '|' + ' --- |' * len(COLUMNS)]
        text.append('| ' + ' | '.join(str(row[c]) for c in COLUMNS) + ' |')
    return '\n'.join(text) + '\n'


def metafile(rows: Dict[str, Dict], results: Dict) -> str:
    """Return the same in MMAction2's form."""
    models = []
    for name, row in rows.items():
        own: Dict[str, Any] = results.get(name, {})
        # Of "mean +- deviation" the mean.
        metrics = {'Top 1 Accuracy': float(own['top1'].split()[0])} if own else {}
        machine, batch = row['GPUs x batch'].split(' x ')
        models.append(
            {
                'Name': name,
                'Config': str(config_of(name)[0].relative_to(ROOT)),
                'In Collection': ('STF' if name.startswith('stf') else NETWORKS[network(name)][0]),
                'Metadata': {
                    'Architecture': row['backbone'],
                    'Batch Size': int(batch),
                    'Epochs': row['epochs'],
                    'FLOPs': row['FLOPs'],
                    'Parameters': row['params'],
                    'Training Data': DATASETS[_data(name)],
                    'Training Resources': (machine if machine == 'CPU' else f'{machine} GPUs'),
                },
                'Modality': f'skeleton, {row["stream"]}',
                'Results': [
                    {
                        'Dataset': heading(name),
                        'Task': 'Skeleton-based Action Recognition',
                        'Metrics': metrics,
                    }
                ],
                **{
                    title: own[key]
                    for title, key in (('Training Log', 'log'), ('Weights', 'ckpt'))
                    if key in own
                },
            }
        )
    used = {model['In Collection'] for model in models}
    papers = [('STF', *STF), *NETWORKS.values()]
    collections = [
        dict(
            Name=name,
            README='configs/README.md',
            Paper=dict(Title=title, URL=f'https://arxiv.org/abs/{number}'),
        )
        for name, title, number in papers
        if name in used
    ]
    return '# Written by tools/zoo.py.\n' + yaml.safe_dump(
        dict(Collections=collections, Models=models), sort_keys=False
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    results = yaml.safe_load((ROOT / 'tools/results.yml').read_text()) or {}
    rows = {name: describe(name, results) for name in names()}
    page = ROOT / 'configs/README.md'
    head = page.read_text().split(START)[0]
    page.write_text(head + START + '\n' + tables(rows, results))
    (ROOT / 'configs/metafile.yml').write_text(metafile(rows, results))


if __name__ == '__main__':
    run(main)
