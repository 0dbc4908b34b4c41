"""Train, test and fuse what a row of the paper's tables needs, and print it.

What is done is skipped, and what was interrupted goes on where it stopped.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

import yaml
from fuse_scores import accuracies, check, fuse, read
from mmengine.config import Config, DictAction

from stf_mmaction.engine.cli import run

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ('ntu60_xsub', 'ntu60_xview', 'ntu120_xsub', 'ntu120_xset',
              'k400', 'utd_mhad', 'nw_ucla', 'demo', 'tiny')
# Benchmarks that the other tables have configs for; the first is the default.
TABLES = dict(
    ablation=('ntu60_xsub', 'utd_mhad'),
    scarce=('ntu60_xsub', 'k400', 'utd_mhad'),
    shift=('ntu120_xsub', 'nw_ucla'),
    gcns=('utd_mhad', ))
# Setting -> column -> configs, whose scores are averaged.
Table = Dict[str, Dict[str, List[str]]]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'row', help=f'a benchmark, {", ".join(BENCHMARKS)}, or a table, '
        f'{", ".join(TABLES)}')
    parser.add_argument('gpus', type=int, help='0 for the CPU')
    parser.add_argument(
        'benchmark', nargs='?', help='of a table; by default the first')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='of train.py and test.py')
    parser.add_argument(
        '--work-dirs', type=Path, default=Path('work_dirs'),
        help='where results go (default: %(default)s)')
    parser.add_argument(
        '--show', action='store_true', help='print what is there, run nothing')
    args = parser.parse_args()
    known = TABLES.get(args.row, BENCHMARKS)
    if args.row not in TABLES and args.row not in BENCHMARKS:
        parser.error(f'row {args.row!r} is unknown: use one of '
                     f'{(*BENCHMARKS, *TABLES)}')
    if args.row not in TABLES and args.benchmark:
        parser.error(f'{args.row} is a benchmark itself: leave '
                     f'{args.benchmark} out')
    args.benchmark = args.benchmark or known[0]
    if args.row in TABLES and args.benchmark not in known:
        parser.error(f'there is no {args.row} on {args.benchmark}: use one '
                     f'of {known}')
    if args.gpus < 0:
        parser.error(f'{args.gpus} GPUs are not possible: use 0 for the CPU')
    return args


def table_of(row: str, benchmark: str) -> Table:
    """Settings, columns and configs of a row.

    Args:
        row (str): A benchmark, or a key of ``TABLES``.
        benchmark (str): What the tables are made on.
    """
    if row in BENCHMARKS:
        return {
            setting: {
                'J': [f'{kind}_{row}_j'],
                'B': [f'{kind}_{row}_b'],
                'J+B': [f'{kind}_{row}_j', f'{kind}_{row}_b']
            }
            for setting, kind in (('MS-G3D', 'msg3d'), ('STF', 'stf_msg3d'))
        }
    if row == 'ablation':
        base = f'{benchmark}_j'
        return {
            setting: {'J': [config]}
            for setting, config in (
                ('MS-G3D', f'msg3d_{base}'),
                ('+ coherence', f'stf_msg3d_{base}_c'),
                ('+ divergence', f'stf_msg3d_{base}_cd'),
                ('+ adjacency', f'stf_msg3d_{base}_focus'),
                ('+ exploration (STF)', f'stf_msg3d_{base}'),
                ('control: two MS-G3D', f'msg3d_{base}_x2'),
                ('control: two focus members', f'stf_msg3d_{base}_focus_x2'))
        }
    if row == 'gcns':
        return {
            f'{title}{end}': {
                'J': [f'{start}{name}_{benchmark}_j{length}']
            }
            for title, name, length in (
                ('ST-GCN', 'stgcn', ''), ('ST-GCN++', 'stgcnpp', ''),
                ('AAGCN', 'aagcn', ''), ('CTR-GCN', 'ctrgcn', ''),
                ('MS-G3D', 'msg3d', '_20e'))
            for end, start in (('', ''), (' with STF', 'stf_'))
        }
    kinds = (('MS-G3D', 'msg3d'), ('STF', 'stf_msg3d'))
    if row == 'shift':
        return {
            setting: {'J': [f'{kind}_{benchmark}_j_shift']}
            for setting, kind in kinds
        }
    percents = (10, 20, 25) if benchmark == 'ntu60_xsub' else (25, )
    streams = 'jb' if benchmark == 'k400' else 'j'
    return {
        f'{setting}, {percent} %': {
            stream.upper(): [f'{kind}_{benchmark}_{stream}_{percent}pct']
            for stream in streams
        }
        for percent in percents for setting, kind in kinds
    }


class Job:
    """One config: what there is of it, and what is missing."""

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        self.name, self.args = name, args
        self.config = ROOT / f'configs/{name}.py'
        self.folder = args.work_dirs / name
        self.scores = self.folder / 'scores.pkl'

    @property
    def checkpoint(self) -> Optional[Path]:
        """Of the last epoch, once it is written to the end."""
        cfg = Config.fromfile(self.config)
        cfg.merge_from_dict(self._options())
        last = self.folder / 'last_checkpoint'
        if last.is_file() and Path(last.read_text().strip()).name == (
                f'epoch_{cfg.train_cfg.max_epochs}.pth'):
            return Path(last.read_text().strip())
        return None

    def _options(self) -> Dict:
        parsed = argparse.ArgumentParser()
        parsed.add_argument('--o', nargs='+', action=DictAction, default={})
        options = self.args.cfg_options
        return parsed.parse_args(['--o', *options] if options else []).o

    def run(self) -> None:
        """Train and test, as far as that is not done."""
        self._remember()
        if not self.scores.is_file():
            self._test(self.train())

    def train(self) -> Path:
        """Train what is missing, and give the last checkpoint."""
        if self.checkpoint:
            return self.checkpoint
        self._remember()
        options = list(self.args.cfg_options)
        source = Config.fromfile(self.config).get('load_from')
        extra = ['--work-dir', self.folder, '--seed', self.args.seed]
        if (self.folder / 'last_checkpoint').is_file():
            extra.append('--resume')
        elif source:  # work_dirs/<config>/epoch_<n>.pth
            weights = Job(Path(source).parent.name, self.args).train()
            options.append(f'load_from={weights}')
        if options:
            extra += ['--cfg-options', *options]
        self._call('train', [self.config], extra)
        if not self.checkpoint:
            raise ValueError(f'{self.folder} has no checkpoint of the last '
                             'epoch: see the log there')
        return self.checkpoint

    def _test(self, checkpoint: Path) -> None:
        partial = self.folder / 'partial.pkl'
        extra = ['--work-dir', self.folder, '--dump', partial]
        if self.args.cfg_options:
            extra += ['--cfg-options', *self.args.cfg_options]
        self._call('test', [self.config, checkpoint], extra)
        os.replace(partial, self.scores)  # all of it or nothing

    def _call(self, what: str, files: List, extra: List) -> None:
        gpus = self.args.gpus
        command = [sys.executable, ROOT / f'tools/{what}.py', *files]
        if gpus:
            command = ['bash', ROOT / f'tools/dist_{what}.sh', *files, gpus]
        command = [str(part) for part in (*command, *extra)]
        print(f'[{self.name}] {what}', flush=True)
        if subprocess.run(command, cwd=ROOT).returncode:
            raise ValueError(f'{self.name}: {what} ended with an error, see '
                             'above; the same command goes on from here')

    def _remember(self) -> None:
        """Refuse to mix results of different settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        note = self.folder / 'reproduce.json'
        own = dict(seed=self.args.seed, cfg_options=self.args.cfg_options)
        if not note.is_file():
            note.write_text(json.dumps(own))
        try:
            there = json.loads(note.read_text())
        except ValueError:  # killed while it was written
            note.write_text(json.dumps(own))
            there = own
        if there != own:
            raise ValueError(f'{self.folder} was made with {there}: use the '
                             'same, another --work-dirs, or remove it')


def show(table: Table, title: str, args: argparse.Namespace) -> None:
    """Print a table, the paper's numbers beside ours (top-1 in %)."""
    paper = yaml.safe_load((ROOT / 'tools/paper.yml').read_text())
    paper = paper.get(title, {})
    columns = list(next(iter(table.values())))
    print(f'\n{title}, top-1 in %, seed {args.seed}\n')
    print('| setting | ' + ' | '.join(
        [f'{c} (paper)' for c in columns] + [f'{c} (ours)' for c in columns]
    ) + ' |')
    print('|' + ' --- |' * (1 + 2 * len(columns)))
    for setting, cells in table.items():
        theirs = paper.get(setting, {})
        print('| ' + ' | '.join(
            [setting] + [f'{theirs[c]:.2f}' if c in theirs else '-'
                         for c in columns] +
            [top1(cells[c], args) for c in columns]) + ' |')


def top1(configs: List[str], args: argparse.Namespace) -> str:
    """Accuracy of the mean of the scores, or that there are none."""
    paths = [Job(name, args).scores for name in configs]
    if not all(path.is_file() for path in paths):
        return 'not yet run'
    dumps = [read(str(path)) for path in paths]
    for path, dump in zip(paths[1:], dumps[1:]):
        check(dumps[0], dump, str(path))
    return f'{accuracies(*fuse(dumps, [1] * len(dumps)))[0]:.2f}'


def main() -> None:
    args = parse_args()
    args.work_dirs = args.work_dirs.resolve()
    table = table_of(args.row, args.benchmark)
    if not args.show:
        for cells in table.values():
            for configs in cells.values():
                for name in configs:
                    Job(name, args).run()
    title = args.row
    if args.row in TABLES:
        title += f' {args.benchmark}'
    show(table, title, args)


if __name__ == '__main__':
    run(main)
