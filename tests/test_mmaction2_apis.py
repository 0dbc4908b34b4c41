"""MMAction2's own functions and scripts on our configs, checkpoints and dumps."""

import re
import runpy
import sys
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch
from helpers import ROOT, tiny
from mmaction.apis import inference_recognizer, inference_skeleton, init_recognizer
from mmengine.config import Config

from stf_mmaction import STFInferencer

SCRIPTS = Path(mmaction.__file__).parent / '.mim/tools/analysis_tools'
SMALL = dict(base_channels=6, num_gcn_scales=4, num_g3d_scales=2)
# Joints, coordinates and persons of a clip for one config of each family.
FAMILIES = {
    'msg3d_demo_b': (20, 3, 1),
    'stf_msg3d_utd_mhad_jb': (20, 3, 1),
    'msg3d_ntu60_xsub_jm': (25, 3, 2),
    'stf_msg3d_k400_bm': (18, 2, 2),
    'stf_stgcnpp_ntu60_xsub_j': (25, 3, 2),
    'complete/hand': (22, 3, 1),
    'small_data/msg3d_penn_action_j_strong': (13, 2, 1),
    'small_data/msg3d_sbu_j_strong': (15, 3, 2),
}


def shrunk(name):
    """A config of the zoo with a narrow network."""
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    net = cfg.model.get('shared') or cfg.model
    if 'MSG3D' in net.backbone.type or net.backbone.type == 'STFGCN':
        net.backbone.update(SMALL)
        net.cls_head.in_channels = 24
    cfg.load_from = None
    return cfg


def clip(joints, channels, persons, frames=30):
    rng = np.random.default_rng(joints)
    keypoint = rng.normal(size=(persons, frames, joints, channels)).cumsum(1).astype(np.float32)
    out = dict(
        keypoint=keypoint,
        total_frames=frames,
        frame_dir='clip',
        label=-1,
        start_index=0,
        modality='Pose',
    )
    if channels == 2:
        out['keypoint_score'] = rng.uniform(0.1, 1, keypoint.shape[:3]).astype(np.float32)
        out['img_shape'] = (480, 640)
    return out


@pytest.mark.parametrize('name', FAMILIES)
def test_inference_recognizer_says_what_the_inferencer_says(name):
    torch.manual_seed(0)
    cfg = shrunk(name)
    model = init_recognizer(cfg, None, 'cpu')
    made = clip(*FAMILIES[name])
    inferencer = STFInferencer(cfg)
    inferencer.model.load_state_dict(model.state_dict())
    ours = inferencer(made['keypoint'].copy(), made.get('keypoint_score'))
    theirs = inference_recognizer(model, made).pred_score.numpy()
    np.testing.assert_allclose(ours['pred_scores'], theirs, atol=1e-5)
    assert ours['pred_label'] == theirs.argmax()


def test_a_config_whose_test_data_alone_was_changed():
    """Another stream and length than ``test_pipeline`` has: both APIs do what the test does."""
    torch.manual_seed(0)
    cfg = shrunk('msg3d_demo_j')
    pipeline = [
        dict(step, length=64) if step.type == 'PadTo' else step
        for step in cfg.test_dataloader.dataset.pipeline
    ]
    cfg.test_dataloader.dataset.update(stream='bm', pipeline=pipeline)
    inferencer = STFInferencer(cfg)
    torch.manual_seed(0)
    model = init_recognizer(cfg, None, 'cpu')
    model.load_state_dict(inferencer.model.state_dict())
    made = clip(20, 3, 1)
    ours = inferencer(made['keypoint'].copy())['pred_scores']
    theirs = inference_recognizer(model, made).pred_score.numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_inference_skeleton_takes_what_mmpose_gives():
    torch.manual_seed(0)
    cfg = shrunk('stf_msg3d_k400_j')
    model = init_recognizer(cfg, None, 'cpu')
    made = clip(18, 2, 2)
    frames = [
        dict(keypoints=made['keypoint'][:, t], keypoint_scores=made['keypoint_score'][:, t])
        for t in range(30)
    ]
    theirs = inference_skeleton(model, frames, (480, 640)).pred_score.numpy()
    inferencer = STFInferencer(cfg)
    inferencer.model.load_state_dict(model.state_dict())
    half = [made[key].astype(np.float16) for key in ('keypoint', 'keypoint_score')]
    np.testing.assert_allclose(inferencer(*half)['pred_scores'], theirs, atol=1e-5)


@pytest.fixture(scope='module')
def tested(tmp_path_factory):
    """Config, checkpoint and dump of a run of an ensemble."""
    folder = tmp_path_factory.mktemp('run')
    data = tiny.write(folder / 'clips.pkl', tiny.clips(), classes=list(tiny.NAMES))
    cfg = tiny.config(data, folder, tiny.model_cfg('ensemble'))
    cfg.test_pipeline = tiny.pipeline()
    tiny.train(cfg)
    cfg.test_evaluator.append(dict(type='DumpScores', out_file_path=str(folder / 'scores.pkl')))
    metrics = tiny.evaluate(cfg, folder / 'epoch_1.pth')
    cfg.test_evaluator.pop()
    cfg.dump(folder / 'config.py')
    return folder, metrics


def test_init_recognizer_reads_our_checkpoints(tested):
    folder, _ = tested
    paths = str(folder / 'config.py'), str(folder / 'epoch_1.pth')
    model = init_recognizer(*paths, device='cpu')
    made = tiny.clips()[5]
    theirs = inference_recognizer(model, dict(made, start_index=0, modality='Pose'))
    ours = STFInferencer(*paths)(made['keypoint'])
    np.testing.assert_allclose(ours['pred_scores'], theirs.pred_score.numpy(), atol=1e-6)


def script(name, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    runpy.run_path(str(SCRIPTS / name), run_name='__main__')
    return capsys.readouterr().out


def test_scripts(tested, monkeypatch, capsys):
    folder, metrics = tested
    dump, config = folder / 'scores.pkl', folder / 'config.py'
    out = script('report_accuracy.py', monkeypatch, capsys, '--preds', dump, '--coefficients', 1)
    assert float(re.search(r'Top 1 Accuracy: (\S+)', out)[1]) == pytest.approx(metrics['acc/top1'])
    out = script('print_config.py', monkeypatch, capsys, config)
    assert "type='STFEnsemble'" in out
    pytest.importorskip('rich')
    out = script('eval_metric.py', monkeypatch, capsys, config, dump)
    value = re.search(r"acc/top1'\W+(?:np.float64\()?([\d.]+)", out)[1]
    assert float(value) == pytest.approx(metrics['acc/top1'])
    assert 'acc/focus_top1' in out
