"""Layouts: the same skeletons as MMAction2's, and clear refusals."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import STAR
from helpers.tutorial import hand, plane
from mmaction.models.utils.graph import Graph
from mmaction.registry import MODELS
from mmengine.config import Config

from stf_mmaction.datasets import (
    LAYOUTS,
    PrepareSkeleton,
    RandomSkeletonMirror,
    SkeletonStream,
    get_layout,
    safe_load,
)
from stf_mmaction.models.layers.graph import adjacency_scales


@pytest.mark.parametrize('name', ['nturgb+d', 'openpose', 'coco'])
def test_names_shared_with_mmaction2_mean_the_same(name):
    ours, theirs = get_layout(name), Graph(name, mode='binary_adj')
    assert ours.num_node == theirs.num_node
    assert ours.center == theirs.center
    assert ours.inward == tuple(theirs.inward)
    assert ours.name == name


@pytest.mark.parametrize('name', list(LAYOUTS))
def test_each_layout_is_whole(name):
    layout = get_layout(name)
    names = layout.names
    assert len(names) == len(set(names)) == layout.num_node
    paired = [joint for pair in layout.pairs for joint in pair]
    assert len(paired) == len(set(paired))
    for joint, title in enumerate(names):  # each left joint has its right one
        assert (joint in paired) or not title.startswith(('l_', 'r_'))
    for left, right in layout.pairs:
        a, b = names[left], names[right]
        assert (a[:2], b[:2], a[2:]) == ('l_', 'r_', b[2:]) or a[:4] == b[:4] == 'face'
    other = dict(layout.pairs) | {right: left for left, right in layout.pairs}
    bones = {frozenset(pair) for pair in layout.inward}
    if name not in ('openpose', 'coco', 'coco_wholebody'):  # there MMAction2 decides
        assert {frozenset(other.get(j, j) for j in bone) for bone in bones} == bones
    path = layout.path(*layout.height)
    assert (path[0], path[-1]) == layout.height
    assert all(frozenset(pair) in bones for pair in zip(path, path[1:]))
    assert len(layout.parents) == layout.num_node  # a tree


# What the makers of each tracker publish: joints by number, bones as they draw them.
PUBLISHED = dict(
    body_25=(
        {0: 'nose', 1: 'neck', 2: 'r_shoulder', 5: 'l_shoulder', 8: 'mid_hip', 9: 'r_hip'}
        | {11: 'r_ankle', 15: 'r_eye', 18: 'l_ear', 19: 'l_big_toe', 22: 'r_big_toe', 24: 'r_heel'},
        '1-8 1-2 1-5 2-3 3-4 5-6 6-7 8-9 9-10 10-11 8-12 12-13 13-14 1-0 0-15 15-17 0-16 16-18 '
        '14-19 19-20 14-21 11-22 22-23 11-24',
    ),
    azure_kinect=(
        {0: 'pelvis', 4: 'l_clavicle', 10: 'l_thumb', 16: 'r_hand_tip', 18: 'l_hip', 26: 'head'}
        | {27: 'nose', 28: 'l_eye', 29: 'l_ear', 30: 'r_eye', 31: 'r_ear'},
        '1-0 2-1 3-2 4-2 5-4 6-5 7-6 8-7 9-8 10-7 11-2 12-11 13-12 14-13 15-14 16-15 17-14 18-0 '
        '19-18 20-19 21-20 22-0 23-22 24-23 25-24 26-3 27-26 28-26 29-26 30-26 31-26',
    ),
    mediapipe_pose=(
        {0: 'nose', 1: 'l_eye_inner', 4: 'r_eye_inner', 7: 'l_ear', 9: 'l_mouth', 12: 'r_shoulder'}
        | {15: 'l_wrist', 18: 'r_little', 19: 'l_index', 22: 'r_thumb', 31: 'l_foot_index'},
        '0-1 1-2 2-3 3-7 0-4 4-5 5-6 6-8 9-10 11-12 11-13 13-15 15-17 15-19 15-21 17-19 12-14 '
        '14-16 16-18 16-20 16-22 18-20 11-23 12-24 23-24 23-25 24-26 25-27 26-28 27-29 28-30 '
        '29-31 30-32 27-31 28-32 0-9 0-10 0-11 0-12',  # the last four join the face
    ),
    mediapipe_hand=(
        {0: 'wrist', 1: 'thumb_cmc', 4: 'thumb_tip', 5: 'index_mcp', 12: 'middle_tip'}
        | {16: 'ring_tip', 17: 'little_mcp', 20: 'little_tip'},
        '0-1 0-5 5-9 9-13 13-17 0-17 1-2 2-3 3-4 5-6 6-7 7-8 9-10 10-11 11-12 13-14 14-15 15-16 '
        '17-18 18-19 19-20 0-9 0-13',  # the last two make each finger one of the wrist
    ),
    h36m=(
        {0: 'pelvis', 1: 'r_hip', 3: 'r_ankle', 4: 'l_hip', 7: 'spine', 8: 'thorax', 10: 'head'}
        | {11: 'l_shoulder', 13: 'l_wrist', 14: 'r_shoulder', 16: 'r_wrist'},
        '0-1 1-2 2-3 0-4 4-5 5-6 0-7 7-8 8-9 9-10 8-11 11-12 12-13 8-14 14-15 15-16',
    ),
    sbu=(
        {0: 'head', 2: 'torso', 3: 'l_shoulder', 8: 'r_hand', 9: 'l_hip', 14: 'r_foot'},
        '0-1 1-2 3-1 4-3 5-4 6-1 7-6 8-7 9-2 10-9 11-10 12-2 13-12 14-13',
    ),
    penn_action=(
        {0: 'head', 1: 'l_shoulder', 2: 'r_shoulder', 5: 'l_wrist', 7: 'l_hip', 12: 'r_ankle'},
        '1-0 2-0 3-1 4-2 5-3 6-4 7-1 8-2 9-7 10-8 11-9 12-10',
    ),
    shrec_hand=(
        {0: 'wrist', 1: 'palm', 2: 'thumb_base', 5: 'thumb_tip', 9: 'index_tip'}
        | {13: 'middle_tip', 17: 'ring_tip', 21: 'little_tip'},
        '0-1 2-0 3-2 4-3 5-4 6-1 7-6 8-7 9-8 10-1 11-10 12-11 13-12 14-1 15-14 16-15 17-16 18-1 '
        '19-18 20-19 21-20',
    ),
)


@pytest.mark.parametrize('name', PUBLISHED)
def test_layouts_are_those_of_the_trackers(name):
    names, bones = PUBLISHED[name]
    layout = get_layout(name)
    assert {joint: layout.names[joint] for joint in names} == names
    published = {frozenset(map(int, bone.split('-'))) for bone in bones.split()}
    ours = {frozenset(bone) for bone in layout.inward}
    assert ours <= published
    if not name.startswith('mediapipe'):  # which draws rings
        assert ours == published


@pytest.mark.parametrize(
    'file,name', [('shrec17', 'shrec_hand'), ('sbu', 'sbu'), ('penn_action', 'penn_action')]
)
def test_layouts_fit_real_data(file, name):
    path = Path(__file__).parents[3] / f'shared/data/{file}.pkl'
    if not path.exists():
        pytest.skip(f'{path} is not available')
    data = safe_load(path)
    layout, clips = get_layout(name), data['annotations'][:60]
    assert sorted(map(tuple, data['layout']['inward'])) == sorted(layout.inward)
    for clip in clips:
        out = PrepareSkeleton(name).transform(dict(clip))
        assert out['keypoint'].shape == clip['keypoint'].shape
        reach = np.linalg.norm(out['keypoint'][out['visibility'] > 0], axis=-1)
        assert 0.05 < np.median(reach) < 3  # body heights


def test_the_fingers_of_ms_g3d():
    ours, original = get_layout('nturgb+d'), get_layout('nturgb+d_msg3d')
    assert ours.inward[:20] == original.inward[:20]
    # One-based in the original: (22, 23), (23, 8), (24, 25), (25, 12).
    assert [(a + 1, b + 1) for a, b in original.inward[20:]] == [
        (22, 23),
        (23, 8),
        (24, 25),
        (25, 12),
    ]
    assert original.path(21, 7) == (21, 22, 7)


def test_a_dict_of_lists_and_a_layout():
    layout = get_layout(dict(STAR, names=list('abcde'), height=[2, 4], pairs=[[3, 4]], name='star'))
    assert layout.inward == ((1, 0), (2, 1), (3, 0), (4, 0))
    assert layout.height == (2, 4) and layout.pairs == ((3, 4),)
    assert layout.names == tuple('abcde') and layout.name == 'star'
    assert get_layout(layout) is layout
    # The root need not be the centre.
    assert get_layout(dict(STAR, center=2)).root == 0
    assert get_layout(dict(STAR, height=None, pairs=None)).pairs == ()


def test_parents_and_paths():
    layout = get_layout(STAR)
    assert layout.root == 0
    assert layout.parents == (0, 0, 1, 0, 0)
    assert layout.path(2, 4) == (2, 1, 0, 4)
    assert layout.path(2, 0) == (2, 1, 0)
    assert layout.path(3, 3) == (3,)


@pytest.mark.parametrize(
    'change,match',
    [
        (dict(inward=[(1, 0), (2, 1), (3, 0), (5, 0)]), 'joint 5'),
        (dict(center=7), 'joint 7'),
        (dict(height=(0, 9)), 'joint 9'),
        (dict(inward=[(1, 0), (2, 1), (3, 0)]), 'joint 4 .* not connected'),
        (dict(inward=[(0, 0), (1, 0), (2, 1), (3, 0), (4, 0)]), 'joint 0 .* own'),
        (dict(names=('a',)), '1 names for 5 joints'),
        (dict(colour='red'), "unknown keys .'colour'."),
        (dict(pairs=[(3, 6)]), 'joint 6'),
        (dict(inward=[(1, 0), (2, 1), (3, 4), (4, 3)]), 'joint 3 .* not conn'),
        (dict(num_node='5'), "num_node='5' .* whole number"),
        (dict(center=None), 'center=None .* whole number'),
        (dict(inward=[(1, 0, 2)]), 'must be pairs'),
        (dict(height=(1,)), 'must be two joints'),
    ],
)
def test_bad_layouts(change, match):
    with pytest.raises(ValueError, match=match):
        get_layout(dict(STAR, **change))


@pytest.mark.parametrize(
    'inward,match,way',
    [
        ([(1, 0), (1, 2), (3, 0), (4, 0)], 'joint 1 .* several', (2, 1, 0, 3)),
        ([(0, 1), (1, 2), (2, 0), (3, 0), (4, 0)], 'ring', (2, 0, 3)),
        ([(1, 0), (2, 1), (3, 2), (4, 3), (0, 4)], 'ring', (2, 3)),  # a ring
        ([(1, 0), (2, 0), (3, 1), (3, 2), (4, 3)], 'joint 3 .* several', (2, 3)),
    ],
)
def test_a_graph_need_not_be_a_tree(inward, match, way):
    """As for MMAction2; what needs a parent of each joint says so."""
    cfg = dict(num_node=5, inward=inward, center=0, height=(2, 3))
    layout = get_layout(cfg)
    assert layout.path(2, 3) == way
    stock, own = (
        MODELS.build(dict(type=kind, graph_cfg=dict(layout=cfg, mode='spatial'), num_stages=2))
        for kind in ('STGCN', 'STFSTGCN')
    )
    assert own.gcn[0].gcn.A.equal(stock.gcn[0].gcn.A)
    keypoint = np.random.default_rng(0).normal(size=(1, 4, 5, 3))
    clip = PrepareSkeleton(cfg).transform(dict(keypoint=keypoint))
    bones = np.diff(clip['keypoint'][0][:, way], axis=1)
    lengths = np.linalg.norm(bones, axis=-1).sum(1)
    assert np.median(lengths) == pytest.approx(1, rel=1e-5)
    joints = SkeletonStream(cfg, 'jm').transform(dict(clip))['keypoint']
    assert joints.shape == (1, 4, 5, 4)
    for use in (
        lambda: SkeletonStream(cfg, 'b').transform(dict(clip)),
        lambda: layout.root,
        lambda: layout.parents,
    ):
        with pytest.raises(ValueError, match=f'{match}.* for bones and pict'):
            use()


@pytest.mark.parametrize('skeleton', [hand, plane])
def test_graphs_of_custom_skeletons(skeleton):
    """Those of MS-G3D and of the others, an edge at a time."""
    cfg = skeleton()[0]
    V, inward = cfg['num_node'], cfg['inward']
    hops = np.where(np.eye(V), 0, V)
    for child, parent in inward:
        hops[child, parent] = hops[parent, child] = 1
    for k, i, j in product(range(V), repeat=3):  # by way of k
        hops[i, j] = min(hops[i, j], hops[i, k] + hops[k, j])
    assert hops.max() < V
    scales = adjacency_scales(get_layout(cfg), 5)
    for k in range(5):
        linked = (hops == k) | (hops == 0)
        for i, j in product(range(V), repeat=2):
            degrees = linked[i].sum() * linked[j].sum()
            assert scales[k, i, j].item() == pytest.approx(linked[i, j] / degrees**0.5, rel=1e-6)
    net = MODELS.build(
        dict(type='STFCTRGCN', graph_cfg=dict(layout=cfg, mode='spatial'), base_channels=4)
    )
    children = [parent for _, parent in inward]
    expected = np.zeros((3, V, V))  # itself, to the parent, to the children
    for child, parent in inward:
        expected[1, parent, child] = 1
        expected[2, child, parent] = 1 / children.count(parent)
    expected[0] = np.eye(V)
    np.testing.assert_allclose(net.gcn[3].gcn.A.detach(), expected, rtol=1e-6)


def test_unknown_and_incomplete():
    with pytest.raises(ValueError, match="'ntu' is unknown.*kinect20"):
        get_layout('ntu')
    with pytest.raises(ValueError, match="lacks .*'center'"):
        get_layout(dict(num_node=2, inward=[(1, 0)]))
    with pytest.raises(ValueError, match='None is neither a name nor'):
        get_layout(None)


@pytest.mark.parametrize('name', [name for name in LAYOUTS if LAYOUTS[name].pairs])
def test_pairs_are_what_a_mirror_exchanges(name):
    layout = get_layout(name)
    # Each joint's y says which it is; joint 1 of the second person is not seen.
    raw = np.full((2, 3, layout.num_node, 2), 10, np.float32)
    raw[..., 1] = np.arange(layout.num_node)
    raw[1, :, 1] = 0
    mirror = RandomSkeletonMirror(name, p=1)
    out = mirror.transform(dict(keypoint=raw.copy(), img_shape=(10, 100)))
    which = out['keypoint'][0, 0, :, 1].astype(int)
    other = dict(layout.pairs) | {right: left for left, right in layout.pairs}
    assert which.tolist() == [other.get(j, j) for j in range(len(which))]
    assert (out['keypoint'][0, ..., 0] == 90).all()
    assert (out['keypoint'][1, :, which == 1] == 0).all()


def test_a_json_file(tmp_path):
    path = tmp_path / 'star.json'
    path.write_text(json.dumps(dict(STAR, height=[2, 4])))
    assert get_layout(str(path)) == get_layout(dict(STAR, height=(2, 4)))
    path.write_text('{"num_node": 5,')
    with pytest.raises(ValueError, match='star.json is not JSON'):
        get_layout(str(path))
    path.write_text('[1, 2]')
    with pytest.raises(ValueError, match='neither a name nor a dict'):
        get_layout(str(path))
    path.write_text('"coco"')  # by another name, for what it is worth
    assert get_layout(str(path)).name == 'coco'
    with pytest.raises(FileNotFoundError, match='gone.json does not exist'):
        get_layout('gone.json')


def test_a_dict_over_a_name_of_a_base(tmp_path):
    """MMEngine takes ``_delete_`` out where it replaces, and leaves it in lists."""
    (tmp_path / 'base.py').write_text("layout = 'coco'\nmodel = dict(layout=layout)\n")
    (tmp_path / 'own.py').write_text(
        "_base_ = 'base.py'\n"
        'layout = dict(_delete_=True, num_node=2, inward=[(1, 0)], center=0)\n'
        'model = dict(layout=layout)\n'
        "pipeline = [dict(type='PrepareSkeleton', layout=layout)]\n"
    )
    cfg = Config.fromfile(str(tmp_path / 'own.py'))
    assert '_delete_' in cfg.pipeline[0].layout
    assert get_layout(cfg.pipeline[0].layout) == get_layout(cfg.model.layout)
