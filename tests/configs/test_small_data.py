"""The strong recipe trains on every skeleton it has a config for."""

import numpy as np
import pytest
import torch
from helpers import ROOT
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from stf_mmaction.datasets import get_layout

PATHS = sorted((ROOT / 'configs/small_data').glob('*.py'))


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')


def clip(layout, persons, channels, label):
    rng = np.random.default_rng(label)
    keypoint = rng.normal(size=(persons, 31, get_layout(layout).num_node, channels))
    entry = dict(frame_dir=str(label), label=label, keypoint=keypoint, total_frames=31)
    if channels == 2:
        entry['keypoint_score'] = np.ones(keypoint.shape[:3])
    return dict(entry, stream='j')


@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_a_step(path):
    cfg = Config.fromfile(path)
    network = cfg.model.get('shared') or cfg.model
    backbone, head = network.backbone, network.cls_head
    layout, persons = backbone.graph_cfg.layout, backbone.num_person
    assert cfg.train_dataloader.dataset.pipeline == cfg.train_pipeline
    assert cfg.val_dataloader.dataset.pipeline == cfg.test_pipeline
    assert cfg.test_dataloader.dataset.pipeline == cfg.test_pipeline
    # The cosine ends with the training, or where the STF losses start.
    hooks = cfg.get('custom_hooks') or []
    ends = [hook['warmup_epochs'] for hook in hooks if 'warmup_epochs' in hook]
    assert cfg.param_scheduler[0].T_max == (ends or [cfg.train_cfg.max_epochs])[0]

    # x, y and maybe z; the last channel is the visibility
    clips = [clip(layout, persons, backbone.in_channels - 1, k) for k in (0, head.num_classes - 1)]
    np.random.seed(0)
    torch.manual_seed(0)
    net = MODELS.build(cfg.model)
    for name in ('train_pipeline', 'test_pipeline'):
        batch = pseudo_collate([Compose(cfg[name])(dict(entry)) for entry in clips])
        losses = net(**net.data_preprocessor(batch, True), mode='loss')
        losses = {key: value for key, value in losses.items() if 'loss' in key}
        assert losses and all(value.isfinite() for value in losses.values())
    # Nothing of a test clip is random.
    first, again = (Compose(cfg.test_pipeline)(dict(clips[0]))['inputs'] for _ in range(2))
    torch.testing.assert_close(first, again)
