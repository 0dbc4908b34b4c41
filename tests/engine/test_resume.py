"""From which checkpoint a run resumes, and what it says."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.small_runs import run, weights
from mmengine.optim import OptimWrapper

from stf_mmaction.engine.resume import ResumeCheckHook, check_resumable, choose_checkpoint


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A work folder with four checkpoints."""
    folder = tmp_path_factory.mktemp('trained')
    run(folder)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of it, whose last_checkpoint names its own file."""
    shutil.copytree(trained, tmp_path / 'run', dirs_exist_ok=True)
    (tmp_path / 'run/last_checkpoint').write_text(f'{tmp_path}/run/epoch_4.pth')
    return tmp_path / 'run'


def test_the_last_checkpoint_is_taken_without_a_word(folder):
    assert choose_checkpoint(folder) == (folder / 'epoch_4.pth', [])


@pytest.mark.parametrize('text', ['', '   \n', '/some/where/epo', '\0\xff'])
def test_a_bad_last_checkpoint_file(folder, text):
    (folder / 'last_checkpoint').write_text(text, encoding='latin-1')
    path, (note,) = choose_checkpoint(folder)
    assert path == folder / 'epoch_4.pth' and 'names no checkpoint' in note
    (folder / 'last_checkpoint').unlink()
    assert choose_checkpoint(folder).path == path


def test_a_copied_folder_resumes_from_its_own_file(trained, folder):
    (folder / 'last_checkpoint').write_text(f'{trained}/epoch_2.pth')
    path, (note,) = choose_checkpoint(folder)
    assert path == folder / 'epoch_2.pth' and f'names {trained}' in note


def cut(path):
    path.write_bytes(path.read_bytes()[:-500])


def empty(path):
    path.write_bytes(b'')


def text(path):
    path.write_text('not a checkpoint')


def only_weights(path):
    torch.save(dict(state_dict=dict(a=torch.zeros(2))), path)


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def gone(path):
    path.unlink()


@pytest.mark.parametrize('damage', [cut, empty, text, only_weights, gone])
def test_a_damaged_checkpoint_is_named_and_an_earlier_one_taken(folder, damage):
    damage(folder / 'epoch_4.pth')
    path, (note,) = choose_checkpoint(folder)
    assert path == folder / 'epoch_3.pth'
    assert 'epoch_4.pth' in note and 'an earlier' in note


@pytest.mark.parametrize('damage', [cut, empty, text, only_weights])
def test_no_good_checkpoint_is_an_error(folder, damage):
    for path in folder.glob('*.pth'):
        damage(path)
    with pytest.raises(ValueError, match='none of the 4 checkpoints'):
        choose_checkpoint(folder)
    with pytest.raises(ValueError, match='epoch_4.pth'):
        check_resumable(folder / 'epoch_4.pth')


def test_order_is_by_number(folder):
    shutil.copy(folder / 'epoch_2.pth', folder / 'epoch_10.pth')
    shutil.copy(folder / 'epoch_2.pth', folder / 'best_acc_top1_epoch_3.pth')
    (folder / 'last_checkpoint').unlink()
    assert choose_checkpoint(folder).path.name == 'epoch_10.pth'


def test_a_folder_without_checkpoints(tmp_path):
    assert choose_checkpoint(tmp_path) == (None, [])


def test_checkpoints_in_another_folder(trained, tmp_path):
    out = tmp_path / 'out'
    shutil.copytree(trained, out / 'run')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/last_checkpoint').write_text(f'{out}/run/epoch_4.pth')
    assert choose_checkpoint(tmp_path / 'run', str(out)) == (out / 'run/epoch_4.pth', [])


def test_what_of_the_config_is_not_followed_is_said(trained, tmp_path, caplog):
    run(
        tmp_path,
        resume=True,
        load_from=trained / 'epoch_1.pth',
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=5e-3, momentum=0.9, weight_decay=0.1)),
        param_scheduler=[dict(type='MultiStepLR', milestones=[2, 3])],
    )
    log = next(tmp_path.glob('*/*.log')).read_text()
    for part in ('lr=0.001, not 0.005', 'weight_decay=0', 'milestones=[1, 3], not [2, 3]'):
        assert part in log, part


@pytest.mark.parametrize('groups', [[1], [1, 1], [3]])
def test_a_training_of_other_weights_is_refused(groups):
    """As a baseline's for the config of an ensemble, whose weights fit when they are spread."""

    def optimizer(sizes):
        weights = [[torch.nn.Parameter(torch.zeros(1)) for _ in range(size)] for size in sizes]
        return torch.optim.SGD([dict(params=group) for group in weights], 0.1)

    runner = SimpleNamespace(
        _resume=True,
        _load_from='baseline.pth',
        param_schedulers=None,
        optim_wrapper=OptimWrapper(optimizer([2])),
    )
    hook = ResumeCheckHook()
    hook.after_load_checkpoint(runner, dict(optimizer=optimizer([2]).state_dict()))
    with pytest.raises(
        ValueError, match=f'baseline.pth is from a training of {sum(groups)} weights'
    ):
        hook.after_load_checkpoint(runner, dict(optimizer=optimizer(groups).state_dict()))


def test_nothing_is_said_of_the_same_config(trained, tmp_path):
    run(tmp_path, resume=True, load_from=trained / 'epoch_1.pth')
    assert 'not those of the config' not in next(tmp_path.glob('*/*.log')).read_text()


def test_a_finished_run_says_so(trained, tmp_path):
    before = torch.load(trained / 'epoch_4.pth', weights_only=False)['state_dict']
    runner = run(tmp_path, resume=True, load_from=trained / 'epoch_4.pth')
    assert 'already ended (epoch 4 of 4' in next(tmp_path.glob('*/*.log')).read_text()
    for name, value in weights(runner).items():
        assert value.equal(before[name])


def dies_while_writing(monkeypatch, number):
    """Let the n-th checkpoint be cut as by a kill or a full disk."""
    count = []
    write = Path.write_bytes

    def partly(path, data):
        count.append(path)
        if len(count) == number:
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))
        write(path, data)

    monkeypatch.setattr(Path, 'write_bytes', partly)


@pytest.mark.parametrize('keep', [-1, 1, 2])
@pytest.mark.parametrize('number', [1, 2, 3, 4])
def test_a_write_that_fails_leaves_the_last_good_checkpoint(tmp_path, monkeypatch, number, keep):
    dies_while_writing(monkeypatch, number)
    hook = dict(checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=keep))
    with pytest.raises(OSError) as error:
        run(tmp_path, default_hooks=hook)
    assert error.value.filename == f'{tmp_path}/epoch_{number}.pth'
    chosen, notes = choose_checkpoint(tmp_path)
    assert notes == []
    assert chosen == (tmp_path / f'epoch_{number - 1}.pth' if number > 1 else None)


def test_old_checkpoints_are_removed(tmp_path):
    hook = dict(checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2))
    run(tmp_path, default_hooks=hook)
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == ['epoch_3.pth', 'epoch_4.pth']
    assert not list(tmp_path.glob('*partial*')) + list(tmp_path.glob('.*partial*'))
