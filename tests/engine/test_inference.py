"""The focus of a clip lies on the frames and persons that it is of."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.marked import marked, pipeline

from stf_mmaction.engine.inference import focus_of_classes, focus_of_clip, predict
from stf_mmaction.models.recognizers.preprocessor import build_preprocessor


class Seer(torch.nn.Module):
    """Its focus for class 1 is the first channel of what it sees.

    Every other clip alone is thought to be of class 2, on average all are 1.
    """

    def __init__(self):
        super().__init__()
        self.data_preprocessor = build_preprocessor(None)
        self.cls_head = SimpleNamespace(num_classes=3)

    def focus(self, inputs, classes=None):
        scores = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.4, 0.6]])
        scores = scores.repeat(len(inputs), 1)[: len(inputs)]
        if classes is None:
            classes = scores.topk(2).indices
        shown = (classes == 1)[:, :, None, None, None]
        return dict(scores=scores, classes=classes, focus=inputs[..., 0].unsqueeze(1) * shown)


@pytest.mark.parametrize(
    'steps',
    [
        [],
        [dict(type='PadTo', length=60)],
        [dict(type='PadTo', length=60, mode='zero')],
        [dict(type='UniformSampleFrames', clip_len=60, test_mode=True)],
        [dict(type='UniformSampleFrames', clip_len=25, test_mode=True)],
        [dict(type='UniformSampleFrames', clip_len=8, num_clips=4, test_mode=True)],
    ],
    ids=lambda steps: '-'.join(step['type'] for step in steps),
)
@pytest.mark.parametrize('persons', [1, 2, 3])
def test_focus_is_laid_onto_its_frames(steps, persons):
    clip = marked(persons)
    raw = clip['keypoint'][..., 0].copy()
    out = predict(Seer(), pipeline(*steps), clip)
    many = steps and steps[0].get('num_clips')
    torch.testing.assert_close(out.scores, torch.tensor([0, 0.7, 0.3] if many else [0.0, 1, 0]))
    assert out.label == 1
    assert out.focus.shape == raw.shape
    # The marks grow evenly: between sampled frames they are exact, too.
    inside = slice(8, -8) if steps and 'clip_len' in steps[0] else slice(None)
    np.testing.assert_allclose(out.focus[:2, inside], raw[:2, inside], rtol=1e-4)
    assert (out.focus[2:] == 0).all()


def test_focus_follows_a_person_who_is_put_first():
    clip = marked()
    clip['keypoint'][0, 5:9] = 0  # so that the second person comes first
    raw = clip['keypoint'][..., 0].copy()
    center = dict(type='PreNormalize3D', align_spine=False, align_shoulder=False)
    out = predict(Seer(), pipeline(center), clip)
    seen = raw != 0
    np.testing.assert_allclose(out.focus[seen], raw[seen] - raw[1, 0, 2], atol=1e-6)
    assert (out.focus[~seen] == 0).all()


def test_all_persons_are_shown():
    clip = marked()

    class Clips:
        pipeline = pipeline(dict(type='PadTo', length=60))

        @staticmethod
        def get_data_info(index):
            return dict(clip, keypoint=clip['keypoint'].copy())

    shown = focus_of_clip(Seer(), Clips, 0)
    np.testing.assert_array_equal(shown.keypoint, clip['keypoint'])
    np.testing.assert_allclose(shown.focus, clip['keypoint'][..., 0], rtol=1e-6)
    assert shown.title == 'clip: class 1 (correct, p = 1.00)'
    clip['label'] = 0
    title = focus_of_clip(Seer(), Clips, 0, ['walk', 'run', 'sit']).title
    assert title == 'clip: walk (predicted run, p = 1.00)'


@pytest.mark.parametrize('num_clips', [1, 4])
def test_focus_of_any_classes_in_the_order_asked(num_clips):
    clip = marked()
    raw = clip['keypoint'][..., 0].copy()
    sampled = dict(type='UniformSampleFrames', clip_len=40, num_clips=num_clips, test_mode=True)
    out = focus_of_classes(Seer(), pipeline(sampled), clip, (2, 1))
    assert out.classes.tolist() == [2, 1]
    assert out.focus.shape == (2, *raw.shape)
    assert (out.focus[0] == 0).all()
    np.testing.assert_allclose(out.focus[1, :, 8:-8], raw[:, 8:-8], rtol=1e-4)
    likeliest = focus_of_classes(Seer(), pipeline(sampled), marked())
    assert likeliest.classes.tolist() == ([1, 2] if num_clips > 1 else [1, 0])
