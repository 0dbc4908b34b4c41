"""The focus file of a test: what it holds, and that the network runs once."""

import numpy as np
import pytest
import torch
from helpers.focus_clips import FRAMES, IDS, config
from helpers.networks import calibrate, ensemble_cfg, recognizer_cfg, wake
from mmaction.registry import MODELS
from mmengine.runner import Runner

from stf_mmaction.engine import FocusFile, focus_export_hook
from stf_mmaction.engine.focus_file import FocusRow, FocusWriter
from stf_mmaction.engine.inference import build_test_dataset, predict
from stf_mmaction.files import os_error_sentence, safe_load


@pytest.fixture(scope='module', params=['one network', 'ensemble', 'several clips'])
def tested(request, ann_file, tmp_path_factory):
    """A runner that wrote a focus file, and the file."""
    folder = tmp_path_factory.mktemp('work')
    torch.manual_seed(0)
    model = ensemble_cfg() if request.param == 'ensemble' else recognizer_cfg()
    step = dict(type='PadTo', length=12)
    if request.param == 'several clips':
        step = dict(type='UniformSampleFrames', clip_len=6, num_clips=3, test_mode=True)
    cfg = config(ann_file, model, [step])
    net = MODELS.build(cfg.model)
    wake(net)
    data = build_test_dataset(cfg)
    calibrate(net, torch.stack([sample['inputs'] for sample in data]))
    torch.save(net.state_dict(), folder / 'weights.pth')
    cfg.update(
        work_dir=str(folder),
        load_from=str(folder / 'weights.pth'),
        custom_hooks=[dict(type='FocusExportHook', out=str(folder / 'new/focus.npz'))],
        experiment_name=f'focus_{request.param}',
    )
    runner = Runner.from_cfg(cfg)
    passes = []
    handles = [
        module.backbone.register_forward_hook(lambda *_: passes.append(1))
        for module in runner.model.modules()
        if hasattr(module, 'backbone')
    ]
    runner.test()
    assert len(passes) == 3 * len(handles)  # batches x networks
    return runner, folder / 'new/focus.npz'


def test_the_file_says_what_predict_says(tested, ann_file):
    runner, path = tested
    dataset = runner.test_dataloader.dataset
    file = FocusFile(path)
    assert file.ids == IDS and file.class_names == ['walk', 'run', '拍手', 'sit']
    np.testing.assert_array_equal(file.index, range(7))
    np.testing.assert_array_equal(file.label, [0, 1, 2, 3, 0, 1, 2])
    for row, clip in zip(file, safe_load(ann_file)['annotations']):
        expected = predict(runner.model, dataset.pipeline, dataset.get_data_info(row.index))
        assert row.classes[0] == file.prediction[row.index] == expected.label
        np.testing.assert_allclose(row.scores, expected.scores, atol=1e-5)
        assert row.focus.shape == (2, *clip['keypoint'].shape[:3])
        assert row.focus.dtype == np.float16
        np.testing.assert_allclose(row.focus[0], expected.focus, atol=1e-3)
        second = row.scores.copy()
        second[row.classes[0]] = -1
        assert row.classes[1] == second.argmax()
    assert (file[4].focus[:, 1] == 0).all()  # absent
    assert (file[2].focus[:, 2] == 0).all()  # a third person, whom the network does not see
    assert (file[5].focus == 0).all()  # nobody
    assert file[0].focus.max() > 0.5
    assert file.find('a_b').index == 1


def test_the_model_and_the_data_are_left_as_they_were(tested):
    runner, path = tested
    assert runner.model.focus_sink is None
    assert type(runner.test_dataloader.dataset.pipeline).__name__ == 'Compose'
    assert [p.name for p in path.parent.iterdir()] == ['focus.npz']


def test_plain_numpy_reads_it_and_equal_tests_give_equal_bytes(tested, tmp_path):
    runner, path = tested
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays['scores'].shape == (7, 4)
        assert arrays['focus/2'].shape == (2, 3, 12, 5)
    first = path.read_bytes()
    runner.test()
    assert path.read_bytes() == first


def row(index, clip='c', frames=2):
    return FocusRow(
        index, clip, 0, np.ones(2), np.array([1, 0]), np.full((2, 1, frames, 3), index / 8)
    )


def test_repeated_clips_are_written_once_and_rows_know_their_place(tmp_path):
    writer = FocusWriter(tmp_path / 'focus.npz')
    for index in (4, 2, 4):
        writer.add(row(index, f'clip {index}'))
    assert len(writer) == 2 and not (tmp_path / 'focus.npz').exists()
    writer.close(['a', 'b'])
    file = FocusFile(tmp_path / 'focus.npz')
    assert file.ids == ['clip 4', 'clip 2']
    assert (file.find('clip 2').focus == 0.25).all()
    with pytest.raises(ValueError, match="clip 'x' is not in .*first clips are"):
        file.find('x')


def test_a_test_that_fails_leaves_the_old_file_and_no_part(tmp_path):
    (tmp_path / 'focus.npz').write_text('old')
    writer = FocusWriter(tmp_path / 'focus.npz')
    writer.add(row(0))
    assert len(list(tmp_path.iterdir())) == 2
    del writer
    assert [p.read_text() for p in tmp_path.iterdir()] == ['old']


def test_bad_paths_and_files_end_in_a_sentence(tmp_path):
    (tmp_path / 'file').write_text('text')
    for path in (tmp_path, tmp_path / 'file/focus.npz'):
        with pytest.raises(OSError) as error:
            FocusWriter(path)
        assert 'cannot be read or written: ' in os_error_sentence(error.value)
    np.savez(tmp_path / 'other.npz', scores=np.zeros(3))
    for name in ('file', 'other.npz'):
        with pytest.raises(ValueError, match='is not a focus file'):
            FocusFile(tmp_path / name)
    with pytest.raises(FileNotFoundError, match='focus file .* does not exist'):
        FocusFile(tmp_path / 'nothing.npz')


@pytest.mark.parametrize(
    'head, names, words',
    [
        ('GCNHead', None, 'GCNHead cannot compute the focus'),
        ('STFHead', ['a', 'b'], '2 class names for a network of 4 classes'),
    ],
)
def test_what_cannot_be_written_is_said_before_the_test(ann_file, tmp_path, head, names, words):
    model = recognizer_cfg()
    model['cls_head']['type'] = head
    cfg = config(ann_file, model, [dict(type='PadTo', length=12)])
    out = str(tmp_path / 'focus.npz')
    hook = dict(type='FocusExportHook', out=out, class_names=names)
    cfg.update(work_dir=str(tmp_path / 'w'), custom_hooks=[hook], experiment_name=f'bad{head}')
    with pytest.raises(ValueError, match=words):
        Runner.from_cfg(cfg).test()


def test_processes_write_parts_that_the_first_one_joins(ann_file, tmp_path, monkeypatch):
    """As DefaultSampler deals clips out to two processes: 0 2 4 6, 1 3 5 0."""
    cfg = config(ann_file, recognizer_cfg(), [dict(type='PadTo', length=12)])
    out = tmp_path / 'focus.npz'
    cfg.update(work_dir=str(tmp_path / 'w'), experiment_name='two')
    runner = Runner.from_cfg(cfg)
    for rank, clips in ((1, [1, 3, 5, 0]), (0, [0, 2, 4, 6])):
        monkeypatch.setattr(focus_export_hook, 'get_dist_info', lambda: (rank, 2))
        hook = focus_export_hook.FocusExportHook(out)
        hook.before_test(runner)
        batch = [runner.test_dataloader.dataset[i] for i in clips]
        data = {key: [sample[key] for sample in batch] for key in batch[0]}
        with torch.no_grad():
            runner.model.eval().test_step(data)
        hook.after_test(runner)
    file = FocusFile(out)
    assert file.ids == [IDS[i] for i in (0, 2, 4, 6, 1, 3, 5)]
    assert [row.focus.shape[2] for row in file] == [FRAMES[i] for i in file.index]
    assert sorted(p.name for p in tmp_path.iterdir()) == ['focus.npz', 'w']
