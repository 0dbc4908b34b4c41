"""Train and test one config of a table, as far as it has not been done."""

import argparse
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from mmengine.config import Config

from stf_mmaction.locations import ROOT, TOOLS

from .paper import config_of, parse_options, read_config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class Job:
    """Train and test a config in ``work_dirs/<name>``.

    Args:
        name (str): Name of the config, see :func:`config_of`.
        args (argparse.Namespace): Arguments of ``tools/reproduce.py``.

    Attributes:
        cfg (mmengine.Config): The config with all options.
        scores (pathlib.Path): The dump of the test.
        source (Job, optional): Job whose last weights it starts from.
        note (dict): Settings that determine its results.

    Raises:
        ValueError: If the batch cannot be divided among the GPUs, or if options
            for the data of this config would also change the different data of
            its source.
    """

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        self.name, self.args = name, args
        self.config, variant = config_of(name)
        self.folder = args.work_dirs / name
        self.scores = self.folder / 'scores.pkl'
        self._plain = read_config(name)
        self.options = [
            f'{loader}.dataset.ann_file={args.data_root / file.name}'
            for loader, file in self._files(self._plain).items()
            if args.data_root
        ]
        self.options += variant + self._batch_size() + args.cfg_options
        self.cfg = read_config(name, self.options)
        # work_dirs/<config>/epoch_<n>.pth
        path = self._plain.get('load_from')
        self.source = Job(Path(path).parent.name, args) if path else None
        if self.source:
            self._check_files()
        text = json.dumps(self._plain.to_dict(), sort_keys=True, default=str)
        if self.source:
            text += self.source.note['config_hash']
        self.note = dict(
            seed=args.seed,
            cfg_options=args.cfg_options,
            batch=self.cfg.train_dataloader.batch_size * max(args.gpus, 1),
            config_hash=hashlib.sha256(text.encode()).hexdigest()[:8],
        )

    @staticmethod
    def _files(cfg: Config) -> Dict[str, Path]:
        return {key: Path(cfg[key].dataset.ann_file) for key in LOADERS}

    def _batch_size(self) -> List[str]:
        """Return the option that keeps the total batch size for this number of GPUs."""
        own = self.args.cfg_options
        if 'train_dataloader.batch_size' in parse_options(own):
            return []
        total = read_config(self.name, own).auto_scale_lr.base_batch_size
        each, rest = divmod(total, max(self.args.gpus, 1))
        if rest or not each:
            raise ValueError(
                f'the total batch size of {self.name}, {total}, cannot be divided among '
                f'{self.args.gpus} GPUs: use a divisor, or '
                '--cfg-options train_dataloader.batch_size=...'
            )
        return [f'train_dataloader.batch_size={each}']

    def _check_files(self) -> None:
        """Raise a ValueError if options for data files do not suit the source."""
        source = self.source
        plain = self._files(source._plain)
        changed = self._files(read_config(source.name, self.args.cfg_options))
        if plain not in (changed, self._files(self._plain)):
            raise ValueError(
                f'--cfg-options that change ann_file would change it in '
                f'{source.name}, too, whose weights {self.name} starts from '
                'and which has other data: use --data-root'
            )

    def check(self) -> None:
        """Refuse to mix results of different settings.

        Raises:
            ValueError: If the folder has results of other settings.
        """
        try:
            there = json.loads((self.folder / 'reproduce.json').read_text())
        except (FileNotFoundError, ValueError):  # not made yet, or cut off by a kill
            return
        other = [
            f'{key}={there.get(key)} (now {value})'
            for key, value in self.note.items()
            if there.get(key) != value
        ]
        if other:
            raise ValueError(
                f'{self.folder} was made with '
                f'{", ".join(other)}: use the same, another '
                '--work-dirs, or remove it'
            )

    def run(self) -> None:
        """Train and test, as far as it has not been done."""
        self.check()
        if self.scores.is_file():
            return
        with self._alone():
            checkpoint = self._train()
            partial = self.folder / 'partial.pkl'
            self._call(
                'test',
                [self.config, checkpoint],
                ['--dump', partial, '--cfg-options', *self.options],
            )
            os.replace(partial, self.scores)  # atomic

    def train(self) -> Path:
        """Train as far as needed, and return the last checkpoint."""
        self.check()
        with self._alone():
            return self._train()

    def newest(self) -> Optional[Path]:
        """Return the newest complete checkpoint, if any."""
        found = [
            (int(match[1]), path)
            for path in self.folder.glob('epoch_*.pth')
            if (match := re.fullmatch(r'epoch_(\d+)', path.stem))
        ]
        return next(
            (path for _, path in sorted(found, reverse=True) if zipfile.is_zipfile(path)), None
        )

    def _train(self) -> Path:
        last = self.folder / f'epoch_{self.cfg.train_cfg.max_epochs}.pth'
        newest = self.newest()
        if newest == last:
            return last
        options, extra = self.options, ['--seed', self.args.seed]
        if newest:
            extra += ['--resume', newest]
        elif self.source:
            options = [*options, f'load_from={self.source.train()}']
        self._call('train', [self.config], [*extra, '--cfg-options', *options])
        if self.newest() != last:
            raise ValueError(
                f'{self.folder} has no checkpoint of the last epoch: see the log there'
            )
        return last

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the folder for this process and the tools that it starts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / 'lock', 'a+') as self._lock:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.seek(0)
                pid = self._lock.read()
                raise ValueError(
                    f'{self.folder} is in use by process {pid}: wait until '
                    f'it has ended, or stop it by kill {pid}'
                ) from None
            self._sign(os.getpid())
            (self.folder / 'reproduce.json').write_text(json.dumps(self.note))
            yield

    def _sign(self, pid: int) -> None:
        self._lock.truncate(0)
        self._lock.write(str(pid))
        self._lock.flush()

    def _call(self, what: str, files: List, extra: List) -> None:
        gpus = self.args.gpus
        command = [sys.executable, TOOLS / f'{what}.py', *files]
        environment = dict(os.environ, CUDA_VISIBLE_DEVICES='')
        if gpus:
            command = ['bash', TOOLS / f'dist_{what}.sh', *files, gpus]
            environment = None  # inherited
        command += ['--work-dir', self.folder, *extra]
        print(f'[{self.name}] {what}', flush=True)
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment,
            # The tool keeps the lock if only this process is killed.
            pass_fds=[self._lock.fileno()],
        )
        self._sign(process.pid)
        try:
            process.wait()
        finally:
            if process.poll() is None:  # interrupted
                process.terminate()
                process.wait()
        if process.returncode:
            raise ValueError(
                f'{self.name}: {what} ended with an error, see '
                'above; the same command resumes from here'
            )
