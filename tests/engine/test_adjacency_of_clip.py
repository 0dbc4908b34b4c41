"""A_k, mask and G_k as the modules use them, and the edges drawn of them."""

import numpy as np
import pytest
from helpers.marked import Clips
from helpers.networks import STAR, recognizer_cfg, wake
from mmaction.registry import MODELS

from stf_mmaction.datasets import get_layout
from stf_mmaction.datasets.frame_mapping import Source
from stf_mmaction.engine.adjacency_of_clip import _of_persons, adjacency_of_clip
from stf_mmaction.engine.inference import clip_to_draw
from stf_mmaction.visualization.adjacency import draw_adjacency, strongest_edges


@pytest.mark.parametrize('kind', ['STFGCN', 'STFSTGCN'])
def test_matrices_are_those_of_the_network(kind):
    cfg = recognizer_cfg()
    cfg['backbone'].update(in_channels=3)
    if kind == 'STFSTGCN':
        graph = dict(layout=STAR, mode='stgcn_spatial')
        cfg['backbone'] = dict(
            type=kind, graph_cfg=graph, in_channels=3, base_channels=6, num_stages=2, num_person=2
        )
        cfg['cls_head']['in_channels'] = 6
    model = MODELS.build(cfg).eval()
    wake(model)
    modules = adjacency_of_clip(model, Clips, 0)
    assert len(modules) == model.backbone.num_stf_modules
    first = modules[0]
    assert first.fixed.shape == first.mask.shape == (3, 5, 5)
    assert first.inferred.shape == (2, 3, 5, 5)
    if kind == 'STFGCN':
        conv = model.backbone.blocks[0].gcn
        np.testing.assert_array_equal(first.fixed, conv.adjacency[:3])
        np.testing.assert_array_equal(first.mask, conv.mask[:3].detach())
    else:
        np.testing.assert_array_equal(
            first.fixed, model.backbone.gcn[0].gcn.A.detach().transpose(1, 2)
        )
    clip = clip_to_draw(Clips.get_data_info(0))
    figure = draw_adjacency(modules, clip, get_layout(STAR))
    figure.draw_without_rendering()
    assert figure.axes[2].images[0].get_array().shape == (5, 15)


def test_persons_keep_their_graphs():
    """The pipeline puts the second person first, and leaves the third out."""
    graphs = np.arange(2.0).reshape(2, 1, 1, 1)
    persons = np.array([[1, 1, 1, -1], [0, 0, -1, 1]])
    source = Source(0, 'a', 3, 4, persons, np.arange(4)[None])
    assert _of_persons(graphs, source).ravel().tolist() == [1, 0, 0]


def test_strongest_edges_by_hand():
    graph = np.zeros((2, 3, 3))
    graph[0, 0, 1], graph[1, 0, 1] = -0.5, 0.25  # 0.75 from 1 to 0
    graph[0, 2, 0] = 0.6
    graph[0, 1, 1] = 9  # not an edge between joints
    np.testing.assert_allclose(strongest_edges(graph), [[0, 2, 0.6], [0, 1, 0.75]])
    np.testing.assert_allclose(strongest_edges(graph, 1), [[0, 1, 0.75]])
    assert len(strongest_edges(graph * 0)) == 0


def test_a_network_without_modules_says_so():
    cfg = recognizer_cfg()
    cfg['backbone'].update(in_channels=3, stf_stages=())
    with pytest.raises(ValueError, match='STFGCN has no STF modules that infer an adjacency'):
        adjacency_of_clip(MODELS.build(cfg).eval(), Clips, 0)
