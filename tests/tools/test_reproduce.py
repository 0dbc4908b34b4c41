"""One command per table row: whole, killed in the middle, and asked twice."""
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from test_tools import ROOT, call

FEW = ['--cfg-options', 'train_dataloader.dataset.indices=24',
       'test_dataloader.dataset.indices=40']
CONFIGS = [f'{kind}_tiny_{stream}' for kind in ('msg3d', 'stf_msg3d')
           for stream in 'jb']
CONFIG = 'stf_msg3d_tiny_j'
sys.path.insert(0, str(ROOT / 'tools'))
tools = runpy.run_path(str(ROOT / 'tools/reproduce.py'))
accuracies, fuse, read = (
    tools[name] for name in ('accuracies', 'fuse', 'read'))


def command(folder, *options):
    return ['bash', 'tools/reproduce.sh', 'tiny', '0', '--work-dirs', folder,
            *options, *FEW]


def row(out):
    return re.findall(r'^\| (?:MS-G3D|STF) .*$', out.stdout, re.M)


@pytest.fixture(scope='module')
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp('done')
    environment = dict(PATH=f'{os.path.dirname(sys.executable)}:'
                       f'{os.environ["PATH"]}', VIRTUAL_ENV=sys.prefix)
    out = call(*command(folder), env=environment)
    assert out.returncode == 0, out.stderr[-2000:]
    return folder, row(out), environment


def test_the_row_is_that_of_the_dumps(done):
    folder, rows, _ = done
    for line, kind in zip(rows, ('msg3d', 'stf_msg3d')):
        dumps = [read(str(folder / f'{kind}_tiny_{s}/scores.pkl'))
                 for s in 'jb']
        expected = [
            accuracies(*fuse(part, [1] * len(part)))[0]
            for part in (dumps[:1], dumps[1:], dumps)
        ]
        own = [float(cell) for cell in line.split('|')[-4:-1]]
        assert own == pytest.approx(expected, abs=0.005)
    assert len(rows) == 2


def test_what_is_done_is_not_done_again(done):
    folder, rows, environment = done
    times = {p: p.stat().st_mtime for p in folder.rglob('*')}
    out = call(*command(folder), env=environment)
    assert row(out) == rows and '] train' not in out.stdout
    assert times == {p: p.stat().st_mtime for p in folder.rglob('*')}
    other = call(*command(folder), 'model.init_cfg=None', env=environment)
    assert other.returncode and 'was made with' in other.stderr


def test_killed_in_the_middle_it_ends_the_same(done, tmp_path):
    folder, rows, environment = done
    shutil.copytree(folder, tmp_path / 'runs')
    shutil.rmtree(tmp_path / 'runs' / CONFIG)
    work_dir = tmp_path / 'runs' / CONFIG
    process = subprocess.Popen(
        [str(c) for c in command(tmp_path / 'runs')], cwd=ROOT,
        start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ, OMP_NUM_THREADS='1', **environment))
    stop = time.time() + 300
    while not (work_dir / 'last_checkpoint').is_file():
        assert process.poll() is None and time.time() < stop
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (work_dir / 'scores.pkl').exists()
    shown = call(*command(tmp_path / 'runs', '--show'), env=environment)
    assert 'not yet run' in shown.stdout
    out = call(*command(tmp_path / 'runs'), env=environment)
    assert 'resumed epoch' in out.stdout + out.stderr
    assert row(out) == rows
    killed, whole = (read(str(path / CONFIG / 'scores.pkl'))
                     for path in (tmp_path / 'runs', folder))
    for clip, (scores, _) in whole.items():
        assert killed[clip][0] == pytest.approx(scores, abs=1e-7)


def test_every_row_has_its_configs():
    rows = [(b, b) for b in tools['BENCHMARKS']]
    rows += [(t, b) for t, bs in tools['TABLES'].items() for b in bs]
    paper = yaml.safe_load((ROOT / 'tools/paper.yml').read_text())
    for row, bench in rows:
        table = tools['table_of'](row, bench)
        for cells in table.values():
            for names in cells.values():
                for name in names:
                    assert (ROOT / f'configs/{name}.py').is_file(), name
        title = row if row == bench else f'{row} {bench}'
        for setting, cells in paper.pop(title, {}).items():
            assert set(cells) <= set(table[setting]), (title, setting)
    assert not paper


@pytest.mark.parametrize('arguments,match', [
    (('ntu61', 0), "row 'ntu61' is unknown"),
    (('ablation', 0, 'k400'), 'there is no ablation on k400'),
    (('k400', 0, 'utd_mhad'), 'leave utd_mhad out'),
    (('tiny', -1), '-1 GPUs'),
])
def test_wrong_rows_are_refused(arguments, match, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['reproduce.py', *map(str, arguments)])
    with pytest.raises(SystemExit):
        tools['parse_args']()
    assert match in capsys.readouterr().err
