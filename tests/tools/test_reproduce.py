"""One command per table row: whole, killed in the middle, and asked twice."""

import argparse
import fcntl
import multiprocessing
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from helpers.processes import Fork, forked, script, started
from helpers.tools import NO_WORKERS, ROOT

from stf_mmaction.engine.dumps import read
from stf_mmaction.engine.fusion import accuracies, fuse
from stf_mmaction.experiments import job as jobs
from stf_mmaction.experiments import paper
from stf_mmaction.experiments.job import Job

tool = runpy.run_path(str(ROOT / 'tools/reproduce.py'))
CONFIGS = sorted(path.stem for path in (ROOT / 'configs').glob('*.py'))
OPTIONS = [
    *(
        f'{kind}_dataloader.dataset.indices={n}'
        for kind, n in dict(train=16, val=4, test=30).items()
    ),
    *NO_WORKERS,
]


def command(folder, row='tiny', *rest):
    return [row, '0', *rest, '--work-dirs', str(folder), '--cfg-options', *OPTIONS]


def main(words):
    """The command, in a process of its own; the tools that it starts are forked."""
    jobs.subprocess = SimpleNamespace(Popen=Fork)
    script(ROOT / 'tools/reproduce.py', *words)


def reproduce(folder, *arguments, cwd=ROOT):
    return forked(main, command(folder, *arguments), cwd=cwd)


def row(out):
    return re.findall(r'^\| (?:MS-G3D|STF) .*$', out.stdout, re.M)


def arguments(folder='/nowhere', gpus=0, cfg_options=(), data_root=None):
    return argparse.Namespace(
        work_dirs=Path(folder),
        gpus=gpus,
        seed=0,
        data_root=data_root,
        cfg_options=list(cfg_options),
    )


@pytest.fixture(scope='module')
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp('done')
    out = reproduce(folder)
    assert out.returncode == 0, out.stderr[-2000:]
    return folder, row(out)


@pytest.fixture(scope='module')
def shifted(done):
    """The row of configs that start from the weights of others."""
    out = reproduce(done[0], 'shift', 'tiny')
    assert out.returncode == 0, out.stderr[-2000:]
    return done[0], row(out)


def test_the_row_is_that_of_the_dumps(done):
    folder, rows = done
    for line, kind in zip(rows, ('msg3d', 'stf_msg3d')):
        dumps = [read(str(folder / f'{kind}_tiny_{s}/scores.pkl')) for s in 'jb']
        assert len(dumps[0]) == 30
        expected = [
            accuracies(*fuse(part, [1] * len(part)))[0] for part in (dumps[:1], dumps[1:], dumps)
        ]
        own = [float(cell) for cell in line.split('|')[-4:-1]]
        assert own == pytest.approx(expected, abs=0.005)
    assert len(rows) == 2


def test_what_is_done_is_not_done_again(done):
    folder, rows = done
    times = {p: p.stat().st_mtime for p in folder.rglob('*')}
    # Paths are relative to where the user is.
    out = reproduce(folder.name, cwd=folder.parent)
    assert row(out) == rows and '] train' not in out.stdout
    assert times == {p: p.stat().st_mtime for p in folder.rglob('*')}


@pytest.mark.parametrize('kind,epochs', [('msg3d', 2), ('stf_msg3d', 3)])
def test_a_row_starts_from_the_weights_of_its_source(shifted, kind, epochs):
    folder, rows = shifted
    assert len(rows) == 2 and 'not yet run' not in ''.join(rows)
    last = Job(f'{kind}_tiny_j_shift', arguments(folder)).newest()
    source, own = (
        torch.load(path, weights_only=False)['state_dict']
        for path in (folder / f'{kind}_tiny_j/epoch_{epochs}.pth', last)
    )
    assert source.keys() == own.keys()
    for name, value in source.items():  # all but the last layer is frozen
        assert value.equal(own[name]) == ('cls_head' not in name), name


def at_work(process, out, folder, tool):
    """The process that a tool runs in, once the command has begun it."""
    while process.is_alive():
        if out.is_file() and f'[{folder.name}] {tool}\n' in out.read_text():
            pid = int((folder / 'lock').read_text() or process.pid)
            if pid != process.pid and Path(f'/proc/{pid}').exists():
                return pid
        time.sleep(0.02)
    raise ChildProcessError(f'ended before {tool} began')


def test_killed_in_the_middle_it_ends_the_same(shifted, tmp_path):
    """In the training of the source, then in the test."""
    done, rows = shifted
    runs, name = tmp_path / 'runs', 'msg3d_tiny_j'
    shutil.copytree(done, runs)
    for own in (name, f'{name}_shift'):
        shutil.rmtree(runs / own)

    # The command alone dies; the training that it began does not.
    with started(main, command(runs, 'shift', 'tiny')) as (process, (out, _)):
        pid = at_work(process, out, runs / name, 'train')
        while not (runs / name / 'last_checkpoint').is_file():
            assert process.is_alive()
            time.sleep(0.02)
        os.kill(pid, signal.SIGSTOP)
    assert not (runs / name / 'epoch_2.pth').exists()
    job = Job(name, arguments(runs, cfg_options=OPTIONS))
    with pytest.raises(ValueError, match=f'is in use by process {pid}: .*kill {pid}'):
        job.train()
    os.kill(pid, signal.SIGKILL)
    assert tool['top1']([f'{name}_shift'], job.args) == 'not yet run'

    # What it leaves may be cut, and in another place.
    moved = runs.rename(tmp_path / 'moved')
    whole = (moved / name / 'epoch_1.pth').read_bytes()
    (moved / name / 'epoch_2.pth').write_bytes(whole[: len(whole) // 2])
    (moved / name / 'last_checkpoint').write_text('')
    with started(main, command(moved, 'shift', 'tiny')) as (process, (out, _)):
        pid = at_work(process, out, moved / f'{name}_shift', 'test')
        process.terminate()
        process.join()
        assert process.exitcode == 128 + signal.SIGTERM
    assert not Path(f'/proc/{pid}').exists()
    assert not (moved / f'{name}_shift/scores.pkl').exists()
    log = max((moved / name).glob('*/*.log')).read_text()
    assert 'resumed epoch: 1,' in log

    out = reproduce(moved, 'shift', 'tiny')
    assert row(out) == rows and '] train' not in out.stdout
    killed, whole = (read(str(path / f'{name}_shift/scores.pkl')) for path in (moved, done))
    assert killed.keys() == whole.keys()
    for clip, (scores, _) in whole.items():
        assert killed[clip][0] == pytest.approx(scores, abs=1e-7)


def test_a_training_holds_its_folder_when_the_command_dies(tmp_path, monkeypatch):
    """Started as it is, but a script that waits stands for the tool."""
    (tmp_path / 'train.py').write_text('import time\nopen(__file__ + ".ran", "w")\ntime.sleep(60)')
    monkeypatch.setattr(jobs, 'TOOLS', tmp_path)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
    job = Job('msg3d_tiny_j', arguments(tmp_path))
    command = multiprocessing.get_context('fork').Process(target=job.train)
    command.start()
    while not (tmp_path / 'train.py.ran').exists():
        assert command.is_alive()
        time.sleep(0.01)
    pid = int((job.folder / 'lock').read_text())
    assert b'CUDA_VISIBLE_DEVICES=\0' in Path(f'/proc/{pid}/environ').read_bytes()
    command.kill()
    command.join()
    monkeypatch.setattr(jobs.subprocess, 'Popen', mock.Mock(side_effect=InterruptedError))
    with pytest.raises(ValueError, match=f'is in use by process {pid}: .*kill {pid}'):
        job.train()
    os.kill(pid, signal.SIGKILL)
    with open(job.folder / 'lock') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Waits until it has ended.
    with pytest.raises(InterruptedError):  # It would start.
        job.train()


def test_two_processes_share_the_batch(tmp_path, monkeypatch):
    """The command; tests/tools/test_tools.py runs dist_train.sh."""
    started, popen = [], subprocess.Popen

    def record(command, **kwargs):
        started.append((command, kwargs['env']))
        return popen(['true'])

    monkeypatch.setattr(jobs.subprocess, 'Popen', record)
    job = Job('msg3d_tiny_j_25pct', arguments(tmp_path, 2))
    assert 'train_dataloader.dataset.fraction=0.25' in job.options
    with pytest.raises(ValueError, match='no checkpoint of the last epoch'):
        job.train()
    ((command, environment),) = started
    assert command[:4] == ['bash', str(ROOT / 'tools/dist_train.sh'), str(job.config), '2']
    assert 'train_dataloader.batch_size=8' in command
    assert environment is None  # all GPUs are seen


def test_the_rate_is_meant_for_the_batch():
    """32 of the paper, 128 of MMAction2, else as in our measurements."""
    for name in CONFIGS:
        if name.endswith(('_b', '_bm', '_jm', '_jb', '_x2')):
            continue  # one knob beside _j and _focus
        cfg, processes = paper._read(name), 1
        if any(f'_{data}' in name for data in ('ntu', 'k400')):
            processes = 8 if 'times' in cfg.train_dataloader.dataset else 4
        assert cfg.auto_scale_lr.base_batch_size == (cfg.train_dataloader.batch_size * processes), (
            name
        )


def test_the_batch_does_not_depend_on_the_gpus():
    name = 'stf_msg3d_ntu60_xsub_j'
    jobs = [Job(name, arguments(gpus=gpus)) for gpus in (0, 1, 2, 4, 32)]
    assert [job.cfg.train_dataloader.batch_size for job in jobs] == [32, 32, 16, 8, 1]
    assert all(job.note == jobs[0].note for job in jobs)
    for gpus in (3, 64):
        with pytest.raises(ValueError, match=f'32, cannot be divided among {gpus} GPUs'):
            Job(name, arguments(gpus=gpus))
    own = Job(name, arguments(gpus=3, cfg_options=['train_dataloader.batch_size=5']))
    assert own.cfg.train_dataloader.batch_size == 5
    assert own.note['batch'] == 15
    other = Job(name, arguments(gpus=4, cfg_options=['auto_scale_lr.base_batch_size=64']))
    assert other.cfg.train_dataloader.batch_size == 16


@pytest.mark.parametrize(
    'change',
    [
        dict(seed=1),
        dict(cfg_options=['model.init_cfg=None']),
        dict(cfg_options=['train_dataloader.batch_size=8']),
        'config',
        'source',
    ],
)
def test_results_of_other_settings_are_refused(shifted, change, monkeypatch):
    folder, name = shifted[0], 'msg3d_tiny_j_shift'
    args = arguments(folder, cfg_options=OPTIONS)
    Job(name, args).check()
    if isinstance(change, str):
        changed = name if change == 'config' else 'msg3d_tiny_j'
        cfg = paper.read_config(changed)
        cfg.optim_wrapper.optimizer.lr = 0.1
        read = paper._read
        monkeypatch.setattr(
            paper, '_read', lambda wanted: cfg if wanted == changed else read(wanted)
        )
    else:
        vars(args).update(change)
    with pytest.raises(ValueError, match='was made with '):
        Job(name, args).run()
    with pytest.raises(ValueError, match='was made with '):
        tool['top1']([name], args)


@pytest.mark.parametrize('name', ['msg3d_nw_ucla_j_shift', 'stf_msg3d_ntu120_xsub_j_shift'])
def test_a_source_keeps_its_own_data(name):
    plain = Job(name, arguments())
    files = plain._files(plain.cfg), plain._files(plain.source.cfg)
    assert files[0] != files[1]
    moved = Job(name, arguments(data_root=Path('/data')))
    for job, theirs in zip((moved, moved.source), files):
        assert job._files(job.cfg) == {
            key: Path('/data') / file.name for key, file in theirs.items()
        }
    for loader in jobs.LOADERS:
        with pytest.raises(ValueError, match='use --data-root'):
            Job(name, arguments(cfg_options=[f'{loader}.dataset.ann_file=a.pkl']))
    # One file for both is what a user may mean.
    same = Job(
        'msg3d_tiny_j_shift', arguments(cfg_options=['test_dataloader.dataset.ann_file=a.pkl'])
    )
    assert same.source.cfg.test_dataloader.dataset.ann_file == 'a.pkl'


def test_every_row_has_its_configs():
    rows = [(b, b) for b in paper.BENCHMARKS]
    rows += [(t, b) for t, bs in paper.TABLES.items() for b in bs]
    numbers = dict(paper.paper_numbers())
    for row, bench in rows:
        table = paper.table_of(row, bench)
        for cells in table.values():
            for names in cells.values():
                for name in names:
                    assert paper.config_of(name)[0].is_file()
        title = row if row == bench else f'{row} {bench}'
        for setting, cells in numbers.pop(title, {}).items():
            assert set(cells) <= set(table[setting]), (title, setting)
    assert not numbers


@pytest.mark.parametrize('bench', paper.TABLES['ablation'])
def test_every_ablation_starts_from_one_baseline(bench):
    table = paper.table_of('ablation', bench)
    members = table['+ exploration (STF)']['J']
    assert members == [f'stf_msg3d_{bench}_j_focus', f'stf_msg3d_{bench}_j_explore']
    for setting, cells in table.items():
        for name in cells['J']:
            source = Job(name, arguments()).source
            assert (
                source is None if name.startswith('msg3d') else (source.name == f'msg3d_{bench}_j')
            ), setting


@pytest.mark.parametrize(
    'arguments,match',
    [
        (('ntu61', 0), "row 'ntu61' is unknown"),
        (('ablation', 0, 'k400'), 'there is no ablation on k400'),
        (('k400', 0, 'utd_mhad'), 'leave utd_mhad out'),
        (('tiny', -1), '-1 GPUs'),
        (('tiny', 0, '--data-root', '/nowhere'), '/nowhere is not a folder'),
    ],
)
def test_wrong_rows_are_refused(arguments, match, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['reproduce.py', *map(str, arguments)])
    with pytest.raises(SystemExit):
        tool['parse_args']()
    assert match in capsys.readouterr().err
