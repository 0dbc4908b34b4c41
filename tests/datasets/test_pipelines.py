"""Two persons, an absent one, 2D and all streams, up to the losses."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from helpers.networks import FOCUS_LOSSES, LOSSES, backbone, calibrate, recognizer, samples, total
from helpers.tutorial import hand, plane
from mmaction.registry import DATASETS
from mmengine.dataset import Compose
from torch.utils.data import default_collate

from stf_mmaction.focus import present_persons

FRAMES, SIZE = 9, (480, 640)  # height and width of the video
STREAMS = ('j', 'b', 'jm', 'bm')


def clips(layout, scored):
    """Clips of a walk: two persons, one stored as zeros, one, and some.

    As pose estimators write them: pixels and scores for COCO, metres else.
    """
    joints, channels = (17, 2) if layout == 'coco' else (25, 3)
    rng = np.random.default_rng(0)
    places = rng.uniform(0.1, 0.9, (4, 2, FRAMES, joints, channels))
    if channels == 2:
        places *= SIZE[::-1]
    places[1, 1] = 0  # stored, but never there
    places[3, 1, :4] = 0  # comes later
    places[0, 0, 2, 3] = 0  # a joint is lost
    out = []
    for index, keypoint in enumerate(places):
        clip = dict(
            frame_dir=f'clip{index}',
            label=index,
            img_shape=SIZE,
            total_frames=FRAMES,
            keypoint=keypoint.astype(np.float32),
        )
        if index == 2:
            clip['keypoint'] = clip['keypoint'][:1]
        if scored:
            clip['keypoint_score'] = rng.uniform(0.2, 1, clip['keypoint'].shape[:3]) * clip[
                'keypoint'
            ].any(-1)
        out.append(clip)
    return out


PRESENT = torch.tensor([[True, True], [True, False], [True, False], [True, True]])


def ours(layout, stream):
    return [
        dict(type='PrepareSkeleton', layout=layout),
        dict(type='SkeletonStream', layout=layout, stream=stream),
        dict(type='PadTo', length=12),
    ]


def theirs(layout, *feats):
    kind = 'PreNormalize2D' if layout == 'coco' else 'PreNormalize3D'
    return [
        dict(type=kind),
        dict(type='GenSkeFeat', dataset=layout, feats=list(feats)),
        dict(type='UniformSampleFrames', clip_len=12, test_mode=True),
    ]


CASES = [
    *[
        (layout, scored, ours(layout, stream), channels)
        for layout, scored, channels in (('coco', True, 3), ('nturgb+d', False, 4))
        for stream in STREAMS
    ],
    ('coco', False, ours('coco', 'j'), 3),
    ('coco', True, ours('coco', ('j', 'bm')), 6),
    *[
        (layout, scored, theirs(layout, *feats), channels * len(feats))
        for layout, scored, channels in (
            ('coco', True, 3),
            ('coco', False, 2),
            ('nturgb+d', False, 3),
        )
        for feats in (('j',), ('b',), ('jm',), ('bm',), ('j', 'b'), STREAMS)
    ],
]


def batch(tmp_path, layout, scored, steps, dataset='PoseDataset', **kwargs):
    """Inputs (N, 1, 2, 12, V, C) from a pickle."""
    path = tmp_path / 'clips.pkl'
    data = clips(layout, scored)
    split = dict(all=[clip['frame_dir'] for clip in data])
    path.write_bytes(pickle.dumps(dict(split=split, annotations=data)))
    data = DATASETS.build(
        dict(
            type=dataset,
            ann_file=str(path),
            split='all',
            pipeline=[
                *steps,
                dict(type='PoseDecode'),
                dict(type='FormatGCNInput', num_person=2),
                dict(type='PackActionInputs'),
            ],
            **kwargs,
        )
    )
    return default_collate([data[i]['inputs'] for i in range(len(data))])


def network(layout, channels, **head):
    torch.manual_seed(0)
    return recognizer(head or LOSSES, backbone(graph_cfg=dict(layout=layout), in_channels=channels))


@pytest.mark.parametrize('layout,scored,steps,channels', CASES)
def test_absent_persons_are_absent_to_every_network(tmp_path, layout, scored, steps, channels):
    inputs = batch(tmp_path, layout, scored, steps)
    assert inputs.shape[-1] == channels
    assert present_persons(inputs[:, 0]).equal(PRESENT)
    model = network(layout, channels)
    losses = model(inputs, samples(range(4)), mode='loss')
    assert all(key in losses for key in LOSSES)
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
    maps = model.eval().focus(inputs[:, 0])['focus'][:, 0]
    assert maps[~PRESENT].eq(0).all()
    assert (maps[PRESENT] > 0).flatten(1).any(1).sum() >= 4


@pytest.mark.parametrize('stream', STREAMS)
@pytest.mark.parametrize('layout', ['coco', 'nturgb+d'])
def test_what_is_not_there_stays_zero(tmp_path, layout, stream):
    inputs = batch(tmp_path, layout, False, ours(layout, stream))[:, 0]
    assert (inputs[1:3, 1] == 0).all()  # absent
    later = inputs[3, 1]
    assert (later[: 4 - stream.endswith('m')] == 0).all()
    assert (later[4:FRAMES] != 0).any(-1).any(-1).all()
    assert (later[FRAMES:] == later[: 12 - FRAMES]).all()  # from the start
    assert (inputs[0, 0, 2, 3] == 0).all()  # the lost joint


def test_channels_of_several_streams_are_those_of_each(tmp_path):
    for make, channels in ((theirs, 3), (lambda k, *s: ours(k, s), 3)):
        whole = batch(tmp_path, 'coco', True, make('coco', 'j', 'b', 'jm'))
        for index, stream in enumerate(('j', 'b', 'jm')):
            alone = batch(tmp_path, 'coco', True, make('coco', stream))
            part = whole[..., channels * index : channels * (index + 1)]
            assert part.equal(alone)
    # Or chosen at the data set.
    whole = batch(tmp_path, 'coco', True, ours('coco', None), 'SkeletonDataset', stream=('j', 'b'))
    assert whole.equal(batch(tmp_path, 'coco', True, ours('coco', ('j', 'b'))))


def test_our_dataset_gives_what_mmaction2s_gives(tmp_path):
    args = tmp_path, 'coco', True, theirs('coco', 'j', 'b')
    assert batch(*args).equal(batch(*args, dataset='SkeletonDataset'))


def stock(layout, channels):
    """MMAction2's own ST-GCN with three blocks, and a head of ours."""
    return recognizer(
        dict(loss_divergence=FOCUS_LOSSES['loss_divergence']),
        dict(
            type='STGCN',
            graph_cfg=dict(layout=layout, mode='spatial'),
            in_channels=channels,
            base_channels=6,
            num_stages=3,
            inflate_stages=[2, 3],
            down_stages=[3],
        ),
    )


@pytest.mark.parametrize('make', [stock, partial(network, **FOCUS_LOSSES)])
@pytest.mark.parametrize(
    'layout,steps',
    [
        ('coco', theirs('coco', 'j')),
        ('coco', theirs('coco', 'j', 'b')),
        ('coco', theirs('coco', 'bm')),
        ('coco', ours('coco', 'b')),
        ('coco', ours('coco', ('j', 'jm'))),
        ('nturgb+d', theirs('nturgb+d', 'jm')),
        ('nturgb+d', ours('nturgb+d', 'bm')),
    ],
)
def test_focus_is_scaled_by_the_persons_who_are_there(tmp_path, layout, steps, make):
    """Against Eq. (2), with the presence known from the data."""
    inputs = batch(tmp_path, layout, layout == 'coco', steps)[:, 0].double()
    model = make(layout, inputs.shape[-1]).double()
    features = model.backbone(inputs)
    probabilities = model.cls_head.fc(features.mean((1, 3, 4))).softmax(1)
    maps, classes = model.cls_head.focus(features, present_persons(inputs))
    for n in range(4):
        for s, y in enumerate(classes[n]):
            (grad,) = torch.autograd.grad(probabilities[n, y], features, retain_graph=True)
            weights = grad[n].mean((0, 2, 3))
            raw = torch.einsum('c,mctv->mtv', weights, features[n]).relu()
            there = raw[PRESENT[n]]
            expected = torch.zeros_like(raw)
            expected[PRESENT[n]] = (there - there.min()) / (there.max() - there.min())
            torch.testing.assert_close(maps[n, s], expected)


@pytest.mark.parametrize('skeleton', [hand, plane])
@pytest.mark.parametrize('make', [stock, partial(network, **FOCUS_LOSSES)])
def test_a_clip_alone_gives_what_it_gives_in_a_batch(skeleton, make):
    """Custom skeletons, with scores in the plane, in float64."""
    layout, clips, scores = skeleton()
    pipeline = Compose(
        [
            *ours(layout, 'b')[:2],
            dict(type='UniformSampleFrames', clip_len=12, test_mode=True),
            dict(type='PoseDecode'),
            dict(type='FormatGCNInput', num_person=2),
            dict(type='PackActionInputs'),
        ]
    )
    inputs = []
    for index in (0, 4):
        clip = dict(
            keypoint=clips[index],
            label=0,
            modality='Pose',
            total_frames=clips[index].shape[1],
            start_index=0,
        )
        if scores:
            clip['keypoint_score'] = scores[index]
        inputs.append(pipeline(clip)['inputs'])
    x = torch.stack(inputs).double()
    channels = clips[0].shape[3] + 1
    assert x.shape == (2, 1, 2, 12, layout['num_node'], channels)
    model = calibrate(make(layout, channels).double(), x).eval()
    both = model.focus(x[:, 0])
    assert (both['focus'][:, :, 0].flatten(2).amax(2) > 0.5).all()
    assert (both['focus'][:, :, 1] == 0).all()  # nobody there
    assert not torch.allclose(*both['scores'])
    for n in range(2):
        for key, alone in model.focus(x[n : n + 1, 0]).items():
            torch.testing.assert_close(both[key][n : n + 1], alone)


def test_a_person_who_stands_still_is_there():
    """All zero but for the visibility, as motion and a single bone are."""
    still = torch.zeros(1, 2, 6, 5, 4)
    still[0, 0, ..., 3] = 1
    assert present_persons(still).tolist() == [[True, False]]
    # Whoever is at one place, but not at that of PreNormalize2D's zeros.
    corner = torch.full((1, 3, 1, 1, 2), -1.0)
    corner[0, 1] = 0.5
    corner[0, 2, ..., 0] = 0
    assert present_persons(corner).tolist() == [[False, True, False]]
