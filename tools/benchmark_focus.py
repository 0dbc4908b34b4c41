"""Measure the CPU time that the focus adds to a test or to a training.

The same test runs alternately with and without ``FocusExportHook`` in one process, and the medians
are compared. With ``--monitor`` a training runs with ``FocusMonitorHook``, whose calls are
compared with the epochs between them. The weights are random, which does not change the time.
"""

import argparse
import statistics
import tempfile
import time
from typing import Callable, List

from mmengine.hooks import Hook
from mmengine.runner import Runner

from stf_mmaction.engine import FocusExportHook, FocusMonitorHook
from stf_mmaction.engine.arguments import add_cfg_options, existing, positive
from stf_mmaction.engine.cli import build_runner, run
from stf_mmaction.engine.config_file import merge_options, read_config


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', type=existing, help='config file')
    parser.add_argument(
        '--num-clips',
        type=positive,
        default=200,
        help='largest number of test clips; defaults to 200',
    )
    parser.add_argument(
        '--rounds', type=positive, default=5, help='measurements of each; defaults to 5'
    )
    parser.add_argument('--monitor', action='store_true', help='measure FocusMonitorHook instead')
    add_cfg_options(parser)
    return parser.parse_args()


def build(args: argparse.Namespace, folder: str) -> Runner:
    """Return a runner that reads only the first clips, without worker processes."""
    cfg = read_config(args.config)
    merge_options(cfg, args.cfg_options)
    cfg.update(work_dir=folder, launcher='none', load_from=None)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.indices = args.num_clips
    if args.monitor:
        cfg.train_cfg.update(max_epochs=args.rounds, val_interval=args.rounds + 1)
        cfg.default_hooks.checkpoint.interval = args.rounds + 1
    return build_runner(cfg)


def seconds_of_test(runner: Runner, hooks: List[Hook]) -> float:
    """Return the CPU seconds of a test with additional hooks."""
    for hook in hooks:
        runner.register_hook(hook)
    start = time.process_time()
    runner.test_loop.run()
    spent = time.process_time() - start
    for hook in hooks:
        runner._hooks.remove(hook)
    return spent


def measure_export(args: argparse.Namespace, folder: str) -> None:
    """Print the CPU time of a test with and without the export."""
    runner = build(args, folder)
    runner.test()  # once to warm up
    spent: dict = {'test': [], 'test --focus': []}
    for _ in range(args.rounds + 1):
        hook = FocusExportHook(f'{folder}/focus.npz')
        spent['test'].append(seconds_of_test(runner, []))
        spent['test --focus'].append(seconds_of_test(runner, [hook]))
    plain, focus = (statistics.median(values[1:]) for values in spent.values())
    print(f'{len(runner.test_dataloader.dataset)} clips, median of {args.rounds} tests each')
    print(f'test {plain:.3f} s, with --focus {focus:.3f} s: {100 * (focus / plain - 1):+.2f} %')


class EpochClock(Hook):
    """Record the CPU seconds of every epoch and of every call of a timed method.

    Attributes:
        epochs (list[float]): Seconds of each epoch, without the hooks after it.
        calls (list[float]): Seconds of each call.
    """

    priority = 'VERY_HIGH'  # stops the clock before other hooks run

    def __init__(self) -> None:
        self.epochs: List[float] = []
        self.calls: List[float] = []

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self.start = time.process_time()

    def after_train_epoch(self, runner: Runner) -> None:
        """Record the epoch."""
        self.epochs.append(time.process_time() - self.start)

    def timed(self, method: Callable) -> Callable:
        """Return the method with its calls timed."""

        def call(*args, **kwargs) -> None:
            start = time.process_time()
            method(*args, **kwargs)
            self.calls.append(time.process_time() - start)

        return call


def measure_monitor(args: argparse.Namespace, folder: str) -> None:
    """Print the CPU time of an epoch and of the monitor."""
    runner, clock, monitor = build(args, folder), EpochClock(), FocusMonitorHook(interval=1)
    monitor.after_train_epoch = clock.timed(monitor.after_train_epoch)
    runner.register_hook(clock)
    runner.register_hook(monitor)
    runner.train()
    epoch, call = (statistics.median(values) for values in (clock.epochs, clock.calls))
    interval = FocusMonitorHook().interval
    print(f'{len(runner.train_dataloader.dataset)} clips, median of {args.rounds} epochs')
    print(
        f'epoch {epoch:.3f} s, monitor {call:.3f} s (first {clock.calls[0]:.3f} s): '
        f'{100 * call / epoch / interval:.2f} % at interval={interval}'
    )


def main() -> None:
    """Measure the export of a test, or the monitor of a training."""
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (measure_monitor if args.monitor else measure_export)(args, folder)


if __name__ == '__main__':
    run(main)
