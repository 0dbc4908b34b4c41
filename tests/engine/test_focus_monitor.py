"""What the monitor logs, and that training does not notice it."""

import json

import numpy as np
import pytest
import torch
from helpers.focus_clips import config
from helpers.networks import ensemble_cfg, recognizer_cfg, wake
from mmengine.config import Config
from mmengine.runner import Runner

from stf_mmaction.engine.focus_monitor_hook import FocusMonitorHook, focus_scalars
from stf_mmaction.losses import adjacency_loss, coherence_loss


def trained(ann_file, folder, hooks, model=None):
    cfg = config(ann_file, model or ensemble_cfg(), [dict(type='PadTo', length=12)])
    loader = cfg.test_dataloader.to_dict()
    cfg.update(
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=5),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='AccMetric'),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        work_dir=str(folder),
        experiment_name=folder.name,
        randomness=dict(seed=0),
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        custom_hooks=hooks,
    )
    runner = Runner.from_cfg(Config(cfg.to_dict()))
    runner.train()
    return runner


def test_pictures_and_numbers_are_logged_and_training_is_the_same(ann_file, tmp_path):
    runner = trained(ann_file, tmp_path / 'on', [dict(type='FocusMonitorHook', interval=2)])
    plain = trained(ann_file, tmp_path / 'off', [])
    torch.testing.assert_close(runner.model.state_dict(), plain.model.state_dict(), rtol=0, atol=0)
    (file,) = (tmp_path / 'on').glob('*/vis_data/scalars.json')
    logged = [json.loads(line) for line in file.read_text().splitlines()]
    logged = {key: value for line in logged for key, value in line.items() if 'focus/' in key}
    for member in ('focus', 'explore'):
        for key in ('entropy', 'coverage', 'overlap', 'coherence', 'adjacency_1', 'adjacency_6'):
            assert 0 <= logged[f'focus/{member}/{key}'] <= 1
    assert not any('loss' in key for key in logged)  # MMEngine would add it to the loss
    (image,) = (tmp_path / 'on').glob('*/vis_data/vis_image/*')
    assert image.name == 'focus_2.png'


def test_numbers_are_the_losses_per_place(ann_file, tmp_path):
    """Norms of coherence and adjacency, divided by the root of the places."""
    torch.manual_seed(0)
    cfg = config(ann_file, recognizer_cfg(), [dict(type='PadTo', length=12)])
    runner_cfg = cfg.model
    from mmaction.registry import MODELS

    from stf_mmaction.engine.inference import build_test_dataset

    model = MODELS.build(runner_cfg)
    wake(model)
    model.eval()
    dataset = build_test_dataset(cfg)
    found = focus_scalars(model, [dataset[1]['inputs']])  # two persons
    maps = model.module_focus(dataset[1]['inputs'])
    places = np.sqrt(maps.last.numel())
    assert found['focus/coherence'] == pytest.approx(
        float(coherence_loss(maps.lower, maps.last)) / places, rel=1e-5
    )
    first = maps.embeddings[:1]
    expected = adjacency_loss(maps.first, first, maps.present) / np.sqrt(first[0].numel())
    assert found['focus/adjacency_1'] == pytest.approx(float(expected), rel=1e-5)


def test_bad_settings_end_in_a_sentence(ann_file, tmp_path):
    with pytest.raises(ValueError, match='interval=0 of FocusMonitorHook must be at least 1'):
        FocusMonitorHook(interval=0)
    model = recognizer_cfg()
    model['cls_head']['type'] = 'GCNHead'
    with pytest.raises(ValueError, match='GCNHead cannot compute the focus'):
        trained(ann_file, tmp_path, [dict(type='FocusMonitorHook')], model)
