"""Clips of a page: each network sees them through its own pipeline."""

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from stf_mmaction.engine.page_clips import Network, page_clips
from stf_mmaction.models.recognizers.preprocessor import build_preprocessor

STEPS = [
    dict(type='PadTo', length=6),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs'),
]


class Seer(torch.nn.Module):
    """Sure of its first class; its focus for class y is y tenths of what it sees."""

    def __init__(self, order):
        super().__init__()
        self.data_preprocessor = build_preprocessor(None)
        self.scores = torch.zeros(1, 4).scatter(
            1, torch.tensor([order]), torch.arange(4.0, 0, -1)[None]
        )

    def focus(self, inputs, classes=None):
        classes = self.scores.topk(2).indices if classes is None else classes
        share = classes[:, :, None, None, None] / 10
        return dict(scores=self.scores, classes=classes, focus=inputs[..., 0].unsqueeze(1) * share)


class Clips:
    pipeline = Compose([TRANSFORMS.build(step) for step in STEPS])

    def __init__(self, *infos):
        self.infos = infos

    def __len__(self):
        return len(self.infos)

    def get_data_info(self, index):
        info = self.infos[index]
        return dict(info, keypoint=info['keypoint'].copy(), start_index=0)


def info(name, label, seed=0):
    keypoint = np.random.default_rng(seed).random((2, 6, 3, 3), dtype=np.float32)
    return dict(frame_dir=name, label=label, keypoint=keypoint, total_frames=6)


def test_every_network_finds_the_clip_by_its_id():
    one, two = info('one', 2), info('two', 0, seed=1)
    two['keypoint_score'] = np.ones((2, 6, 3))
    two['keypoint_score'][1, 2, 0] = 0
    networks = [
        Network('a', Seer([0, 1, 2, 3]), Clips(one, two)),
        Network('b', Seer([2, 3, 0, 1]), Clips(two, one)),
    ]
    first, second = page_clips(networks, [0, 1])
    assert (first.clip_id, first.label, second.clip_id, second.label) == ('one', 2, 'two', 0)
    # The two likeliest, and the label where it is neither.
    assert [list(view.classes) for view in first.views] == [[0, 1, 2], [2, 3]]
    assert [list(view.classes) for view in second.views] == [[0, 1], [2, 3, 0]]
    for clip, source in ((first, one), (second, two)):
        for view in clip.views:
            for index, focus in zip(view.classes, view.focus):
                expected = source['keypoint'][..., 0] * index / 10
                np.testing.assert_allclose(focus, expected, rtol=1e-5)
    np.testing.assert_array_equal(first.keypoint, one['keypoint'])
    assert (second.keypoint[1, 2, 0] == 0).all()  # not seen, not drawn
    np.testing.assert_array_equal(second.keypoint[0], two['keypoint'][0])


@pytest.mark.parametrize(
    'other, sentence',
    [
        (Clips(info('two', 2)), 'clip one is not in the test split of b'),
        (Clips(info('one', 1)), 'clip one has label 2 for a and 1 for b'),
    ],
)
def test_networks_of_other_data_are_refused(other, sentence):
    networks = [Network('a', Seer([0, 1, 2, 3]), Clips(info('one', 2)))]
    with pytest.raises(ValueError, match=sentence):
        page_clips([*networks, Network('b', Seer([0, 1, 2, 3]), other)], [0])
