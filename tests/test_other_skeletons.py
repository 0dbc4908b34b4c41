"""A hand, two persons, 2D with visibility: real data sets from training to a picture."""

import runpy

import pytest
from helpers import ROOT, tiny
from mmengine.config import Config

from stf_mmaction import STFInferencer
from stf_mmaction.datasets import safe_load
from stf_mmaction.engine.inference import build_test_dataset, focus_of_clip, load_model
from stf_mmaction.visualization import draw_focus

DATA = ROOT.parent / 'shared/data'
# Persons, and channels with visibility.
SETS = dict(shrec17=(1, 4), sbu=(2, 4), penn_action=(1, 3))


@pytest.mark.slow
@pytest.mark.parametrize('name', SETS)
def test_a_set_trains_tests_draws_and_exports(name, tmp_path):
    path = DATA / f'{name}.pkl'
    if not path.is_file():
        pytest.skip(f'{path} is not here')
    pytest.importorskip('onnxruntime')
    persons, channels = SETS[name]
    content = safe_load(path)
    layout, names = content['layout'], content['classes']
    few = [clip for clip in content['annotations'] if clip['keypoint'].shape[1] < 60][:8]
    data = tiny.write(tmp_path / 'few.pkl', few, classes=names)
    steps = tiny.pipeline(layout, persons)
    steps[2] = dict(type='UniformSampleFrames', clip_len=12, test_mode=True)
    model = tiny.model_cfg('focus', len(names), channels, persons)
    model['backbone']['graph_cfg'] = dict(layout=layout)
    cfg = tiny.config(data, tmp_path, model, steps=steps)
    tiny.train(cfg)
    checkpoint = tmp_path / 'epoch_1.pth'
    assert 'acc/top1' in tiny.evaluate(cfg, checkpoint)
    _, trained = load_model(Config(cfg.to_dict()), str(checkpoint))
    dataset = build_test_dataset(cfg)
    shown = focus_of_clip(trained, dataset, 0)
    assert shown.keypoint.shape[0] == persons and shown.focus.shape == shown.keypoint.shape[:3]
    if persons > 1:
        assert (shown.focus.max((1, 2)) > 0).all()
    draw_focus([shown], trained.lead.layout).savefig(tmp_path / 'focus.png')
    result = STFInferencer(cfg, str(checkpoint))(
        few[4]['keypoint'], few[4].get('keypoint_score'), few[4].get('img_shape')
    )
    assert result['class_name'] == names[result['pred_label']]
    tool = runpy.run_path(str(ROOT / 'tools/export_onnx.py'))
    clips = tool['sample_inputs'](cfg)
    out = str(tmp_path / 'model.onnx')
    assert tool['export'](trained, (1, *clips.shape[1:]), out, clips) < 1e-4
