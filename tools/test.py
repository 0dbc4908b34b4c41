"""Test a recognizer, with the same arguments as MMAction2's tool."""

import argparse

from stf_mmaction.engine.arguments import add_common_arguments, checkpoint, existing
from stf_mmaction.engine.cli import build_runner, load_config, run
from stf_mmaction.engine.config_file import require


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=existing, help='config file')
    parser.add_argument('checkpoint', type=checkpoint, help='checkpoint file or URL')
    parser.add_argument('--dump', help='pickle for the predictions: scores, labels and clip ids')
    parser.add_argument(
        '--focus',
        help='.npz file for the focus of every clip, for its two most probable classes',
    )
    parser.add_argument(
        '--features', help='.npz file for the pooled features of every clip, their labels and ids'
    )
    parser.add_argument('--show-dir', help='folder for pictures of the focus of each clip')
    parser.add_argument('--show', action='store_true', help='show these pictures in a window')
    parser.add_argument('--interval', type=int, default=1, help='draw every n-th clip')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds for which a picture is shown'
    )
    add_common_arguments(parser)
    args = parser.parse_args()
    if args.dump and not args.dump.endswith(('.pkl', '.pickle')):
        parser.error(f'--dump {args.dump} must end in .pkl or .pickle')
    for option, path in (('--focus', args.focus), ('--features', args.features)):
        if path and not path.endswith('.npz'):
            parser.error(f'{option} {path} must end in .npz')
    if args.interval < 1:
        parser.error(f'--interval {args.interval} must be at least 1')
    if not args.wait_time >= 0:
        parser.error(f'--wait-time {args.wait_time} must be 0 or more')
    return args


def main() -> None:
    """Test a recognizer."""
    args = parse_args()
    cfg = load_config(args)
    require(cfg, 'a test', 'test_dataloader', 'test_evaluator')
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.dump:
        evaluators = cfg.test_evaluator
        if not isinstance(evaluators, (list, tuple)):
            evaluators = [evaluators]
        cfg.test_evaluator = [*evaluators, dict(type='DumpScores', out_file_path=args.dump)]
    if args.focus:
        cfg.custom_hooks.append(dict(type='FocusExportHook', out=args.focus))
    if args.features:
        cfg.custom_hooks.append(dict(type='FeatureExportHook', out=args.features))
    if args.show or args.show_dir:
        cfg.custom_hooks.append(
            dict(
                type='FocusVisualizationHook',
                out_dir=args.show_dir,
                show=args.show,
                interval=args.interval,
                wait_time=args.wait_time,
            )
        )
    build_runner(cfg).test()


if __name__ == '__main__':
    run(main)
