"""Train a recognizer, with the same arguments as MMAction2's tool."""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config

from stf_mmaction.engine.arguments import add_common_arguments, existing, seed
from stf_mmaction.engine.cli import (
    build_runner,
    check_amp,
    is_first,
    load_config,
    lock_work_dir,
    run,
    use_amp,
)
from stf_mmaction.engine.config_file import require
from stf_mmaction.engine.resume import check_resumable, choose_checkpoint


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=existing, help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or without a path from the latest in the work dir',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train in mixed precision: bfloat16 where the GPU has it, else float16',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate during training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the total batch size, relative to that of the config',
    )
    parser.add_argument('--seed', type=seed, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='give every process its own seed'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='use deterministic algorithms only'
    )
    add_common_arguments(parser)
    args = parser.parse_args()
    if args.resume not in (None, 'auto') and not Path(args.resume).is_file():
        parser.error(f'argument --resume: file {args.resume} does not exist')
    return args


def resume(cfg: Config, path: str) -> None:
    """Set the checkpoint to resume from; ``'auto'`` selects the latest intact one."""
    if path == 'auto':
        hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
        chosen, notes = choose_checkpoint(cfg.work_dir, hook.get('out_dir'))
        if chosen is None:
            notes.append(
                f'{cfg.work_dir} has no checkpoint: the training starts from the beginning'
            )
        for note in notes if is_first(cfg) else ():
            print(f'warning: {note}', file=sys.stderr)
        cfg.resume = chosen is not None
        cfg.load_from = cfg.get('load_from') if chosen is None else str(chosen)
        return
    check_resumable(path)
    cfg.resume, cfg.load_from = True, path


def main() -> None:
    """Train a recognizer."""
    args = parse_args()
    cfg = load_config(args)
    require(cfg, 'a training', 'train_dataloader', 'optim_wrapper')
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        use_amp(cfg)
    elif cfg.optim_wrapper.get('type') == 'AmpOptimWrapper':
        check_amp('optim_wrapper.type=AmpOptimWrapper')
    if args.resume is not None:
        resume(cfg, args.resume)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise SystemExit(
                'error: --auto-scale-lr needs the batch size that the '
                'learning rate was chosen for: write '
                'auto_scale_lr=dict(base_batch_size=...) in the config'
            )
        cfg.auto_scale_lr.enable = True
    # An argument that is not given leaves the config's choice alone.
    randomness = dict(cfg.get('randomness') or dict(seed=None))
    if args.seed is not None:
        randomness['seed'] = args.seed
    if args.diff_rank_seed:
        randomness['diff_rank_seed'] = True
    if args.deterministic:
        randomness['deterministic'] = True
    cfg.randomness = randomness
    lock_work_dir(cfg)
    build_runner(cfg).train()


if __name__ == '__main__':
    run(main)
