"""Print the parameters and FLOPs of the networks of configs.

FLOPs are multiply-adds, as in MMAction2's model zoo, counted for the operators that
run. For an ensemble, those of all members are added.
"""

import argparse

from stf_mmaction.engine.arguments import add_cfg_options, add_shape_argument, existing
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.config_file import merge_options, read_config, require
from stf_mmaction.engine.flops import count, input_shape


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='+', type=existing, help='config files')
    add_shape_argument(parser)
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    args = parse_args()
    rows = []
    for config in args.configs:
        cfg = read_config(config)
        merge_options(cfg, args.cfg_options)
        require(cfg, 'this tool', 'model')
        shape = args.shape or input_shape(cfg)
        rows.append((config, 'x'.join(map(str, shape)), *count(cfg, shape)))
    print(f'{"config":50s} {"N x M x T x V x C":>17s} {"params":>9s} {"FLOPs":>9s} {"ratio":>6s}')
    for config, shape, parameters, flops in rows:
        print(
            f'{config:50s} {shape:>17s} {parameters / 1e6:8.3f}M {flops / 1e9:8.3f}G '
            f'{flops / rows[0][3]:6.3f}'
        )


if __name__ == '__main__':
    run(main)
