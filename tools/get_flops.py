"""Parameters and FLOPs of the networks of some configs, as a table.

FLOPs are multiply-adds, as in MMAction2's zoo, counted at the operators that
really run. Of an ensemble, those of all members together.
"""

import argparse
from typing import Sequence, Tuple

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

from stf_mmaction.engine.cli import existing, run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='+', type=existing, help='config files')
    parser.add_argument(
        '--shape',
        nargs=5,
        type=int,
        default=(1, 2, 300, 25, 3),
        metavar=('N', 'M', 'T', 'V', 'C'),
        help='clips, persons, frames, joints, channels; M and C are set in '
        'the backbones (default: %(default)s)',
    )
    return parser.parse_args()


def fit(cfg, shape) -> None:
    """Set persons and channels in every backbone of a model config."""
    if isinstance(cfg, (list, tuple)):
        for item in cfg:
            fit(item, shape)
    elif isinstance(cfg, dict):
        for key, value in cfg.items():
            if key == 'backbone' and 'graph_cfg' in value:
                value.update(num_person=shape[1], in_channels=shape[4])
            fit(value, shape)


def measure(config: str, shape: Sequence[int]) -> Tuple[str, int, int]:
    """Measure name, parameters and multiply-adds of one config."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    fit(cfg.model, shape)
    model = MODELS.build(cfg.model).eval()
    clips, *rest, channels = shape
    channels *= len(getattr(model, 'streams', ('',)))  # side by side
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(
            torch.randn(clips, 1, *rest, channels),
            mode='tensor',
            **({} if hasattr(model, 'members') else dict(stage='head')),
        )
    parameters = sum(p.numel() for p in model.parameters())
    return config, parameters, counter.get_total_flops() // 2


def main() -> None:
    args = parse_args()
    rows = [measure(config, args.shape) for config in args.configs]
    print(f'input {"x".join(map(str, args.shape))} (N, M, T, V, C)')
    print(f'{"config":50s} {"params":>9s} {"FLOPs":>9s} {"ratio":>6s}')
    for config, parameters, flops in rows:
        print(
            f'{config:50s} {parameters / 1e6:8.3f}M {flops / 1e9:8.3f}G {flops / rows[0][2]:6.3f}'
        )


if __name__ == '__main__':
    run(main)
