"""Describe each config by its name and its network, for the model zoo."""

from typing import Dict, List, Tuple

from mmengine.config import Config

from stf_mmaction.engine.flops import count, input_shape
from stf_mmaction.locations import CONFIGS

from .paper import config_of, paper_numbers, table_of

DATASETS = dict(
    ntu60='NTU RGB+D 60',
    ntu120='NTU RGB+D 120',
    k400='Kinetics-Skeleton 400',
    utd='UTD-MHAD',
    nw='NW-UCLA',
    demo='UI-PRMD (bundled)',
)
STREAMS = dict(j='joints', b='bones', jm='joint motion', bm='bone motion', jb='joints and bones')
# Name, title of the paper and arXiv number of each network, by its part of a config name.
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
NOT_RUN = ''
_counted: Dict[str, Tuple[int, int]] = {}


def names() -> List[str]:
    """Return the names of the configs in the order of the tables."""
    order = list(DATASETS)
    return sorted(
        (path.stem for folder in (CONFIGS, CONFIGS / 'ablation') for path in folder.glob('*.py')),
        key=lambda n: (
            order.index(data_of(n)),
            _split(n),
            network(n) != 'msg3d',
            network(n),
            n.startswith('stf'),
            n,
        ),
    )


def data_of(name: str) -> str:
    """Return the key in ``DATASETS`` of a config."""
    return next(key for key in DATASETS if f'_{key}_' in name)


def _split(name: str) -> str:
    return next((s for s in ('xsub', 'xview', 'xset') if f'_{s}_' in name), '')


def network(name: str) -> str:
    """Return the key in ``NETWORKS`` of a config."""
    return name.removeprefix('stf_').split('_')[0]


def stream(name: str) -> str:
    """Return the stream of a config: j, b, jm, bm or jb."""
    return next(part for part in name.split('_') if part in STREAMS)


def heading(name: str) -> str:
    """Return the data set and the split of a config or benchmark, such as NTU RGB+D 60 xsub."""
    name = f'_{name}_'
    return f'{DATASETS[data_of(name)]} {_split(name)}'.strip()


def paper(name: str) -> str:
    """Return the top-1 in % that the paper reports for a config, or a dash."""
    for title, theirs in paper_numbers().items():
        table = table_of(title.split()[0], title.split()[-1])
        for setting, cells in table.items():
            for column, configs in cells.items():
                if configs == [name] and column in theirs.get(setting, {}):
                    return f'{theirs[setting][column]:.2f}'
    return '-'


def counted(cfg: Config, shape: Tuple[int, ...]) -> Tuple[int, int]:
    """Return the parameters and multiply-adds of a network; equal networks are counted once.

    Args:
        cfg (mmengine.Config): A config with ``model``.
        shape (tuple[int]): Shape of the input, (N, M, T, V, C).
    """
    key = f'{cfg.model}{shape}'
    if key not in _counted:
        _counted[key] = count(cfg, shape)
    return _counted[key]


def describe(name: str, results: Dict) -> Dict:
    """Describe a config for the table and the metafile.

    Args:
        name (str): Name of the config.
        results (dict): Contents of ``tools/results.yml``.

    Returns:
        dict: Cells by the heading of their column.
    """
    path = config_of(name)[0]
    cfg = Config.fromfile(path)
    loader = cfg.train_dataloader
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    own = results.get(name, {})
    shape = input_shape(cfg)
    params, flops = counted(cfg, shape)
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
    if data_of(name) in ('ntu60', 'ntu120', 'k400'):
        machine = f'{base // loader.batch_size} x {loader.batch_size}'
    else:
        machine = f'CPU x {loader.batch_size}'
    return {
        'config': f'[{name}]({path.relative_to(CONFIGS)})',
        'stream': STREAMS[stream(name)],
        'frames': shape[2],
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
