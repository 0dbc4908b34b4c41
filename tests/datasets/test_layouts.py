"""Layouts: the same skeletons as MMAction2's, and clear refusals."""

import json
from itertools import product

import numpy as np
import pytest
from mmaction.models.utils.graph import Graph
from mmaction.registry import MODELS, TRANSFORMS
from networks import STAR
from test_docs import hand, plane

from stf_mmaction.datasets import LAYOUTS, PrepareSkeleton, SkeletonStream, get_layout
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
    names = layout.names or [str(j) for j in range(layout.num_node)]
    assert len(names) == len(set(names)) == layout.num_node
    for left, right in layout.pairs if layout.names else ():
        a, b = names[left], names[right]
        assert a.startswith('l_') and b.startswith('r_') and a[2:] == b[2:]
    bones = {frozenset(pair) for pair in layout.inward}
    path = layout.path(*layout.height)
    assert (path[0], path[-1]) == layout.height and layout.pairs
    assert all(frozenset(pair) in bones for pair in zip(path, path[1:]))


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
        ([(0, 1), (1, 2), (2, 0), (3, 0), (4, 0)], 'circle', (2, 0, 3)),
        ([(1, 0), (2, 1), (3, 2), (4, 3), (0, 4)], 'circle', (2, 3)),  # a ring
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


@pytest.mark.parametrize('name', list(LAYOUTS))
def test_pairs_are_what_flip_takes(name):
    layout = get_layout(name)
    left, right = zip(*layout.pairs)
    flip = TRANSFORMS.build(dict(type='Flip', flip_ratio=1, left_kp=left, right_kp=right))
    # Each joint says which it is; joint 1 of the second person is not seen.
    raw = np.ones((2, 3, layout.num_node, 2), np.float32)
    raw[..., 1] = np.arange(layout.num_node)
    raw[1, :, 1] = 0
    out = flip.transform(dict(keypoint=raw.copy(), modality='Pose', img_shape=(10, 100)))
    which = out['keypoint'][0, 0, :, 1].astype(int)
    other = dict(layout.pairs) | dict(zip(right, left))
    assert which.tolist() == [other.get(j, j) for j in range(len(which))]
    assert (out['keypoint'][0, ..., 0] == 99).all()
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
