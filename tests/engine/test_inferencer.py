"""``STFInferencer`` says what the tools say, and refuses in sentences."""

import runpy
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch
from helpers import ROOT, tiny
from helpers.networks import calibrate, wake
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose

import stf_mmaction.visualization
from stf_mmaction import STFInferencer
from stf_mmaction.datasets import safe_load
from stf_mmaction.engine.inference import build_test_dataset
from stf_mmaction.visualization import draw_focus

DATA = ROOT / 'tools/demo_data/ui_prmd_tiny.pkl'
NAMES = (ROOT / 'tools/demo_data/classes.txt').read_text().splitlines()
CONFIG = f"""
_base_ = '{ROOT}/configs/stf_msg3d_demo_j.py'
model = dict(shared=dict(backbone=dict(base_channels=6),
                         cls_head=dict(in_channels=24)))
data = dict(indices=6, stream=STREAM, ann_file='{DATA}')
pipeline = [
    dict(type='PrepareSkeleton', layout='kinect20'),
    dict(type='SkeletonStream', layout='kinect20'),
    dict(type='UniformSampleFrames', clip_len=12, num_clips=CLIPS,
         test_mode=True),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('frame_dir', ))
]
test_dataloader = dict(dataset=data)
if CLIPS:
    test_dataloader['dataset']['pipeline'] = pipeline
"""


@pytest.fixture(scope='module', params=["'j', 0", "'b', 1", "'j', 3"])
def trained(request, tmp_path_factory):
    """Config and checkpoint of a small ensemble that is not a fresh one."""
    folder = tmp_path_factory.mktemp('model')
    config, weights = folder / 'config.py', folder / 'weights.pth'
    config.write_text(f'STREAM, CLIPS = {request.param}\n{CONFIG}')
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    model = MODELS.build(cfg.model)
    wake(model)
    data = build_test_dataset(cfg)
    calibrate(model, torch.stack([sample['inputs'] for sample in data]))
    torch.save(model.state_dict(), weights)
    return str(config), str(weights)


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """Runs a tool in this process."""
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        monkeypatch.setattr('sys.argv', [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')

    return run


@pytest.fixture(scope='module')
def clips():
    data = safe_load(DATA)
    wanted = set(data['split']['val'])
    return [c for c in data['annotations'] if c['frame_dir'] in wanted][:6]


def test_scores_are_those_of_the_test_tool(trained, tool, clips):
    tool('test.py', *trained, '--dump', 'scores.pkl')
    dumped = safe_load('scores.pkl')
    inferencer = STFInferencer(*trained, class_names=NAMES)
    results = inferencer([clip['keypoint'] for clip in clips])
    assert len(results) == len(dumped) == 6
    for clip, sample, result in zip(clips, dumped, results):
        assert sample['frame_dir'] == clip['frame_dir']
        scores = torch.as_tensor(sample['pred_score']).numpy()
        np.testing.assert_allclose(result['pred_scores'], scores, atol=1e-6)
        assert 0.01 < scores.max() < 0.99  # says something of the digits
        assert result['pred_label'] == int(np.argmax(scores))
        assert result['class_name'] == NAMES[result['pred_label']]
        assert result['focus'].shape == clip['keypoint'].shape[:3]
        assert 0 <= result['focus'].min() < result['focus'].max() <= 1


def test_focus_is_that_of_the_picture(trained, tool, clips, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        stf_mmaction.visualization,
        'draw_focus',
        lambda clips, *rest: drawn.extend(clips) or draw_focus(clips, *rest),
    )
    names = [clip['frame_dir'] for clip in clips[:3]]
    tool(
        'visualize_focus.py',
        *trained,
        '--clips',
        *names,
        '--out',
        'f.png',
        '--class-names',
        ROOT / 'tools/demo_data/classes.txt',
    )
    assert Path('f.png').read_bytes()[:4] == b'\x89PNG'
    inferencer = STFInferencer(*trained)
    for clip, shown in zip(clips, drawn):
        result = inferencer(clip['keypoint'][0])  # without a person axis
        np.testing.assert_allclose(result['focus'], shown.focus, atol=1e-6)
        np.testing.assert_array_equal(clip['keypoint'], shown.keypoint)
        p = result['pred_scores'][result['pred_label']]
        assert shown.title.startswith(f"{clip['frame_dir']}: ")
        assert f'p = {p:.2f}' in shown.title
        assert NAMES[clip['label']] in shown.title


STOCK = Path(mmaction.__file__).parent / '.mim/configs/skeleton/stgcnpp'


@pytest.fixture(scope='module', params=['3d', '2d'])
def stock(request, tmp_path_factory):
    """A small stock ST-GCN++, its checkpoint and the config as ours."""
    cfg = Config.fromfile(
        STOCK / (f'stgcnpp_8xb16-joint-u100-80e_ntu60-xsub-keypoint-{request.param}.py')
    )
    cfg.model.backbone.base_channels = 12
    cfg.model.cls_head.in_channels = 48
    cfg.test_dataloader.dataset.pipeline[2].clip_len = 12
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    wake(model)
    joints = model.backbone.graph.num_node
    calibrate(model, torch.randn(3, 2, 2, 12, joints, 3))
    weights = tmp_path_factory.mktemp('stock') / 'stock.pth'
    torch.save(model.state_dict(), weights)
    cfg.model.type = 'STFRecognizer'
    cfg.model.cls_head.type = 'STFHead'
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2, 30, joints, 3))
    if request.param == '3d':
        return model.eval(), cfg, str(weights), points, None
    return (
        model.eval(),
        cfg,
        str(weights),
        500 + 100 * points[..., :2],
        rng.uniform(0.1, 1, points.shape[:3]),
    )


def test_scores_of_a_stock_network_are_its_own(stock):
    """Ten clips of the test pipeline, by RecognizerGCN's own predict."""
    model, cfg, weights, points, score = stock
    clip = dict(keypoint=points.copy(), label=0, start_index=0, total_frames=30, modality='Pose')
    if score is not None:
        clip['keypoint_score'] = score.copy()
    packed = Compose(cfg.test_dataloader.dataset.pipeline)(clip)
    assert len(packed['inputs']) == 10
    batch = model.data_preprocessor(
        dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
    )
    with torch.no_grad():
        (sample,) = model(**batch, mode='predict')
    result = STFInferencer(cfg, weights)(points, score)
    np.testing.assert_allclose(result['pred_scores'], sample.pred_score, atol=1e-6)
    assert result['pred_label'] == int(sample.pred_label)
    assert result['pred_scores'].std() > 1e-3
    assert result['focus'].shape == points.shape[:3]
    assert 0.1 < result['focus'].max() <= 1


def test_what_a_stock_pipeline_asserts_is_said(stock):
    _, cfg, weights, points, score = stock
    inferencer = STFInferencer(cfg, weights)
    if score is not None:
        wrong = [
            ((points[:, :, :14], score[:, :, :14]), '14, 3.* does not fit'),
            ((points, None), '17, 2.* does not fit'),
            (
                (points[..., [0, 1, 1]], score),
                r'17, 3\).* with keypoint'
                "_score, it stops at .*'keypoint'",
            ),
        ]
    else:
        wrong = [
            (
                (points[[0, 1, 1]], None),
                r'shape \(3, 30, 25, 3\) .* '
                r"without .* at 'assert M in \[1, 2\]': give as many",
            ),
            ((points, abs(points[..., 0])), 'with keypoint_score, it stops at .*nturgb'),
            ((points[..., :2], None), r'25, 2\) .*, it stops at'),
        ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message) as error:
            inferencer(*arguments)
        assert '\n' not in str(error.value)


SMALL = dict(
    type='STFRecognizer',
    backbone=dict(
        type='MSG3DBackbone',
        graph_cfg=dict(layout='coco'),
        base_channels=6,
        num_gcn_scales=2,
        num_g3d_scales=1,
    ),
    cls_head=dict(type='STFHead', num_classes=3, in_channels=24),
)


def config(*steps, **model):
    """A config as an object, for COCO joints."""
    pipeline = [
        *steps,
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs'),
    ]
    return Config(
        dict(model=dict(SMALL, **model), test_dataloader=dict(dataset=dict(pipeline=pipeline)))
    )


PREPARE = (
    dict(type='PrepareSkeleton', layout='coco'),
    dict(type='SkeletonStream', layout='coco'),
    dict(type='PadTo', length=10),
)


def person(persons=1, frames=7, seed=0):
    """Pixels and scores, (M, T, 17, 2) and (M, T, 17)."""
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(100, 900, (persons, frames, 17, 2)),
        rng.uniform(0.1, 1, (persons, frames, 17)),
    )


def test_absent_and_supernumerary_persons_have_no_focus():
    torch.manual_seed(0)
    inferencer = STFInferencer(config(*PREPARE))
    keypoint, score = person(3)
    keypoint[1] = 0
    result = inferencer(keypoint, score)
    assert result['focus'].shape == (3, 7, 17)
    assert result['focus'][0].max() > 0.5
    assert (result['focus'][1:] == 0).all()


def test_the_size_of_the_video_matters_to_mmaction2s_normalisation():
    inferencer = STFInferencer(
        config(
            dict(type='PreNormalize2D'),
            dict(type='GenSkeFeat', dataset='coco', feats=['j']),
            dict(type='UniformSampleFrames', clip_len=5, test_mode=True),
        )
    )
    keypoint, score = person()
    raw = keypoint.copy()
    whole = inferencer(keypoint, score, img_shape=(1080, 1920))
    half = inferencer(keypoint / 2, score, img_shape=(540, 960))
    other = inferencer(keypoint, score, img_shape=(540, 960))
    assert (keypoint == raw).all()
    for key in ('pred_scores', 'focus'):
        np.testing.assert_allclose(whole[key], half[key], atol=1e-6)
    assert abs(whole['focus'] - other['focus']).max() > 1e-3


def test_whole_numbers_and_lists_of_clips():
    inferencer = STFInferencer(config(*PREPARE))
    clips = [person(frames=frames, seed=frames) for frames in (1, 4, 10)]
    joints = [keypoint[0].astype(int) for keypoint, _ in clips]
    together = inferencer(joints, [score[0] for _, score in clips])
    assert [r['focus'].shape for r in together] == [(1, 1, 17), (1, 4, 17), (1, 10, 17)]
    for result, keypoint, (_, score) in zip(together, joints, clips):
        alone = inferencer(keypoint.astype(float), score[0])
        np.testing.assert_array_equal(result['focus'], alone['focus'])
    assert inferencer([]) == []


@pytest.mark.parametrize(
    'change,message',
    [
        (lambda k, s: (k[0, 0], None), r'shape \(17, 2\) and type'),
        (lambda k, s: (k[..., :1], None), 'are not numbers of shape'),
        (lambda k, s: (k[:, :0], None), 'are not numbers of shape'),
        (lambda k, s: (k.astype(str), None), 'type <U.* are not numbers'),
        (lambda k, s: (k * np.nan, None), 'keypoints hold NaN'),
        (lambda k, s: (k, s * np.inf), 'keypoint_score hold NaN'),
        (lambda k, s: (k * 0, s), 'only zeros'),
        (lambda k, s: (k, s[:, :3]), 'one for each joint'),
        (lambda k, s: ([k, k], s), 'list of 2 keypoint_score'),
        (lambda k, s: ([k, k], [s]), 'list of 2 keypoint_score'),
        (lambda k, s: (k[:, :, :16], None), 'the layout has 17 joints'),
        (lambda k, s: (np.repeat(k, 2, 1), None), '14 frames .* 10 of PadTo'),
        (lambda k, s: (k[..., [0, 1, 1]], None), '4\\) does not fit .* 3 chan'),
    ],
)
def test_wrong_keypoints_end_in_a_sentence(change, message):
    inferencer = STFInferencer(config(*PREPARE))
    with pytest.raises(ValueError, match=message) as error:
        inferencer(*change(*person()))
    assert '\n' not in str(error.value)


def test_wrong_configs_end_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.py'):
        STFInferencer('gone.py')
    with pytest.raises(FileNotFoundError, match='gone.pth'):
        STFInferencer(config(*PREPARE), 'gone.pth')
    with pytest.raises(ValueError, match='no test_dataloader'):
        STFInferencer(Config(dict(model=SMALL)))
    torch.save(dict(other=torch.ones(1)), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='other.pth lacks'):
        STFInferencer(config(*PREPARE), str(tmp_path / 'other.pth'))
    keypoints = person()[0]
    with pytest.raises(ValueError, match='2 class names for a network of 3 classes'):
        STFInferencer(config(*PREPARE), class_names=['a', 'b'])(keypoints)
    head = dict(SMALL['cls_head'], type='GCNHead')
    for change, message in (
        (dict(cls_head=head), 'GCNHead cannot compute the focus'),
        (dict(cls_head=head, type='RecognizerGCN'), 'RecognizerGCN cannot compute the focus'),
    ):
        with pytest.raises(ValueError, match=message):
            STFInferencer(config(*PREPARE, **change))(keypoints)


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """A small network of random weights, and three clips of five joints."""
    cfg = tiny.config('none.pkl', tmp_path_factory.mktemp('plain'), tiny.model_cfg('focus'))
    return cfg, [clip['keypoint'] for clip in tiny.clips(3)]


def test_windows_of_a_recording(plain):
    cfg, clips = plain
    torch.manual_seed(0)
    inferencer = STFInferencer(cfg, window=8, stride=6)
    recording = np.concatenate(clips, 1)  # 24 frames
    results = inferencer(recording)
    assert [result['frames'] for result in results] == [(0, 8), (6, 14), (12, 20), (16, 24)]
    inferencer.window = None
    for result in results:
        start, end = result['frames']
        whole = inferencer(recording[:, start:end])
        np.testing.assert_array_equal(result['pred_scores'], whole['pred_scores'])
        np.testing.assert_array_equal(result['focus'], whole['focus'])
        assert result['focus'].shape == (1, 8, 5)
    inferencer.window = 8
    recording[:, :8] = 0
    empty = inferencer([recording, recording[:, :5] + 1])
    assert empty[0][0]['pred_label'] == -1 and not empty[0][0]['focus'].any()
    assert empty[0][0]['pred_scores'].shape == (3,) and empty[0][1]['pred_label'] >= 0
    assert [result['frames'] for result in empty[1]] == [(0, 5)]


def said_by(monkeypatch):
    said = []
    monkeypatch.setattr(
        'stf_mmaction.engine.inferencer.print_log', lambda text, **_: said.append(text)
    )
    return said


def test_persons_without_a_place_are_named(plain, monkeypatch):
    """The one who is in the file first only passes by; two parts of a track are one person."""
    said = said_by(monkeypatch)
    cfg, clips = plain
    crowd = np.concatenate([clips[0], clips[1], clips[2], clips[2]])
    crowd[0, 2:] = 0
    crowd[2, 5:] = crowd[3, :5] = 0
    assert STFInferencer(cfg)(crowd)['left_out'] == [1, 2, 3]  # the first of the file is kept
    cfg = Config(cfg.to_dict())
    cfg.test_dataloader.dataset.pipeline.insert(0, dict(type='SelectPersons', num_person=1))
    inferencer = STFInferencer(cfg)
    result = inferencer(crowd)
    kept = sorted(set(range(4)) - set(result['left_out']))
    assert 0 in result['left_out'] and kept in ([1], [2, 3])
    assert [person for person in range(4) if result['focus'][person].any()] == kept
    inferencer([clips[0], crowd, clips[1]])
    names = ', '.join(map(str, result['left_out']))
    assert said[1:] == [
        f'there are more persons than num_person of the network: persons {names} are left out',
        f'there are more persons than num_person of the network: persons {names} '
        '(1 of 3 clips, the first is 1) are left out',
    ]
    crowd[1:, 4:] = 0
    inferencer.window = inferencer.stride = 4
    expected = [person for person in result['left_out'] if person < 3]  # 3 comes later
    assert [part['left_out'] for part in inferencer(crowd)] == [expected, []]
    assert len(said) == 4


def test_windows_in_which_nobody_is_seen_or_of_one_frame(plain):
    cfg = Config(plain[0].to_dict())
    inferencer = STFInferencer(cfg, window=np.int64(4), stride=np.int64(4))
    points = plain[1][0]
    score = np.ones(points.shape[:3])
    score[:, :4] = 0
    first, second = inferencer(points, score)
    assert (first['pred_label'], first['frames']) == (-1, (0, 4)) and not first['pred_scores'].any()
    assert second['pred_label'] >= 0 and second['frames'] == (4, 8)
    with pytest.raises(ValueError, match='keypoint_score of shape .* one for each joint'):
        inferencer(points, score[..., :3])
    (single,) = inferencer(points[:, :1])
    assert single['frames'] == (0, 1) and single['focus'].shape == (1, 1, 5)
    inferencer.window = inferencer.stride = 1
    assert len(inferencer(points)) == 8
    inferencer.window = inferencer.stride = 100
    (whole,) = inferencer(points)
    assert whole['frames'] == (0, 8)


def test_wrapped_test_data_and_detections(plain):
    """The pipeline is found in any wrapper; keypoints are given unpacked."""
    cfg, clips = plain
    torch.manual_seed(0)
    wanted = STFInferencer(cfg)(clips[0])
    one = cfg.to_dict()['test_dataloader']['dataset']
    for dataset in (
        dict(type='ConcatDataset', datasets=[one, one]),
        dict(type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[one])),
        dict(one, pipeline=[dict(type='DecompressPose', squeeze=True), *one['pipeline']]),
    ):
        torch.manual_seed(0)
        other = Config(cfg.to_dict())
        other.test_dataloader['dataset'] = dataset
        found = STFInferencer(other)(clips[0])
        np.testing.assert_array_equal(found['pred_scores'], wanted['pred_scores'])


@pytest.mark.parametrize(
    'given',
    [dict(window=0), dict(window=4, stride=0), dict(window=2.5), dict(window=4, stride=-1)]
    + [dict(window='8')],
)
def test_windows_that_are_none(plain, given):
    with pytest.raises(ValueError, match='must be a whole number of frames'):
        STFInferencer(plain[0], **given)
    with pytest.raises(ValueError, match='stride=3 needs a window'):
        STFInferencer(plain[0], stride=3)


def test_lists_name_the_bad_clip_and_nested_lists_are_one(plain):
    cfg, clips = plain
    cfg = Config(cfg.to_dict())
    inferencer = STFInferencer(cfg)
    with pytest.raises(ValueError, match='clip 1 of the list of 3: keypoints of shape'):
        inferencer([clips[0], clips[1][..., :1], clips[2]])
    persons = np.concatenate(clips[:2])
    nested = inferencer(persons.tolist())
    assert isinstance(nested, dict) and nested['focus'].shape == (2, 8, 5)
    alone = inferencer(clips[0][0].tolist())
    np.testing.assert_allclose(alone['pred_scores'], inferencer(clips[0])['pred_scores'])
    ragged = inferencer([clips[0][0].tolist(), clips[1][0][:5].tolist()])
    assert [result['focus'].shape for result in ragged] == [(1, 8, 5), (1, 5, 5)]


def test_several_labels_have_no_focus(plain):
    cfg = Config(plain[0].to_dict())
    cfg.model.cls_head = dict(type='STFHead', num_classes=3, in_channels=24, multi_class=True)
    with pytest.raises(ValueError, match='multi_class=True predicts several labels for a clip'):
        STFInferencer(cfg)(plain[1][0])
