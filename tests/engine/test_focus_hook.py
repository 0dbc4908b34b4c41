"""Pictures of a test come from its own forward pass, beside the export, of any data set."""

import pickle

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.focus_clips import IDS, config
from helpers.networks import ensemble_cfg, recognizer_cfg
from mmengine.runner import Runner

from stf_mmaction.datasets.clip_view import view_clips
from stf_mmaction.engine import FocusFile, focus_hook
from stf_mmaction.engine.inference import focus_of_clip
from stf_mmaction.visualization import file_stem


def run_test(cfg, folder, monkeypatch, **hook):
    """Test with both hooks; the runner, the clips that were drawn, and the focus file."""
    out = folder / 'focus.npz'
    hooks = [
        dict(type='FocusExportHook', out=str(out)),
        dict(type='FocusVisualizationHook', out_dir=str(folder / 'show'), **hook),
    ]
    cfg.update(work_dir=str(folder), custom_hooks=hooks, experiment_name=folder.name)
    runner = Runner.from_cfg(cfg)
    clips, passes = [], []
    draw = focus_hook.draw_focus
    monkeypatch.setattr(
        focus_hook, 'draw_focus', lambda c, layout: draw(clips.extend(c) or c, layout)
    )
    for module in runner.model.modules():
        if hasattr(module, 'backbone'):
            module.backbone.register_forward_hook(lambda *_: passes.append(1))
    runner.test()
    assert len(passes) == len(runner.test_dataloader) * len(getattr(runner.model, 'members', '1'))
    return runner, clips, FocusFile(out)


def test_the_network_runs_once_for_both_hooks(ann_file, tmp_path, monkeypatch):
    torch.manual_seed(0)
    cfg = config(ann_file, ensemble_cfg(), [dict(type='PadTo', length=12)])
    runner, clips, file = run_test(cfg, tmp_path, monkeypatch, interval=3)
    assert file.ids == IDS
    dataset = runner.test_dataloader.dataset
    for clip, index in zip(clips, (0, 3, 6)):
        wanted = focus_of_clip(runner.model, dataset, index)
        assert clip.title == wanted.title
        np.testing.assert_array_equal(clip.keypoint, wanted.keypoint)
        np.testing.assert_allclose(clip.focus, wanted.focus, atol=1e-5)
    pictures = sorted(path.name for path in (tmp_path / 'show').iterdir())
    assert pictures == sorted(f'{file_stem(IDS[index])}.png' for index in (0, 3, 6))
    assert runner.model.focus_sink is None
    assert type(dataset.pipeline).__name__ == 'Compose'


def test_wrapped_data_sets(ann_file, tmp_path, monkeypatch):
    cfg = config(ann_file, recognizer_cfg(), [dict(type='PadTo', length=12)])
    loader = cfg.test_dataloader
    part = dict(loader.dataset, indices=2)
    loader.dataset = dict(
        type='ConcatDataset', datasets=[part, dict(type='RepeatDataset', times=1, dataset=part)]
    )
    _, clips, _ = run_test(cfg, tmp_path, monkeypatch, interval=1)
    assert [clip.title.split(': ')[0] for clip in clips] == IDS[:2] * 2


def test_detections_that_are_stored_frame_by_frame(tmp_path, monkeypatch):
    """As MMAction2's 2D Kinetics: DecompressPose makes clips of them."""
    rng = np.random.default_rng(0)
    annotations = []
    for name in ('one', 'two'):
        joints = np.concatenate([rng.uniform(1, 90, (12, 5, 2)), np.ones((12, 5, 1))], -1)
        found = dict(keypoint=joints.astype(np.float16), frame_inds=np.repeat(np.arange(6), 2))
        (tmp_path / f'{name}.pkl').write_bytes(pickle.dumps(found))
        annotations.append(dict(frame_dir=name, label=1, total_frames=6, img_shape=(100, 100)))
    model = tiny.model_cfg('focus', channels=3, persons=2)
    cfg = config(str(tiny.write(tmp_path / 'clips.pkl', annotations)), model, [])
    steps = [dict(type='DecompressPose', squeeze=True), *tiny.pipeline(persons=2)]
    cfg.test_dataloader.dataset.update(
        split='val', pipeline=steps, data_prefix=dict(skeleton=str(tmp_path))
    )
    runner, clips, file = run_test(cfg, tmp_path, monkeypatch)
    dataset = view_clips(runner.test_dataloader.dataset)
    for index, (clip, row) in enumerate(zip(clips, file)):
        wanted = focus_of_clip(runner.model, dataset, index)
        assert clip.focus.shape == row.focus.shape[1:] == (2, 6, 5)
        np.testing.assert_array_equal(clip.keypoint, wanted.keypoint)
        np.testing.assert_allclose(clip.focus, wanted.focus, atol=1e-5)


def test_an_interval_of_zero_is_refused():
    with pytest.raises(ValueError, match='interval=0 of FocusVisualizationHook must be at least 1'):
        focus_hook.FocusVisualizationHook(interval=0)
