"""The focus of a clip lies on the frames and persons that it is of."""
import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose
from stf_mmaction.engine.inference import look_at, predict
from stf_mmaction.models.recognizers.stf_recognizer import build_preprocessor


class Seer(torch.nn.Module):
    """Its focus is the first channel of what it sees; class 1 for sure."""

    def __init__(self):
        super().__init__()
        self.data_preprocessor = build_preprocessor(None)
        self.asked = []

    def focus(self, inputs, classes=None):
        self.asked.append(classes)
        if classes is None:
            classes = torch.tensor([[1, 2]]).expand(len(inputs), 2)
        maps = inputs[..., 0].unsqueeze(1).expand(-1, classes.shape[1], -1,
                                                  -1, -1)
        return dict(
            scores=torch.tensor([[0., .75, .25]]).expand(len(inputs), 3),
            classes=classes,
            focus=maps)


def pipeline(*steps):
    kinds = [*steps, dict(type='PoseDecode'),
             dict(type='FormatGCNInput', num_person=2),
             dict(type='PackActionInputs')]
    return Compose([TRANSFORMS.build(kind) for kind in kinds])


def marked(persons=2, frames=40):
    """A clip whose joints say what the focus must be, (M, T, 3, 3)."""
    marks = np.arange(1, persons * frames * 3 + 1).reshape(persons, frames, 3)
    keypoint = np.repeat(marks[..., None] / marks.max(), 3, -1)
    return dict(keypoint=keypoint.astype(np.float32), label=1, start_index=0,
                total_frames=frames, frame_dir='clip')


@pytest.mark.parametrize('steps', [
    [],
    [dict(type='PadTo', length=60)],
    [dict(type='PadTo', length=60, mode='zero')],
    [dict(type='UniformSampleFrames', clip_len=60, test_mode=True)],
    [dict(type='UniformSampleFrames', clip_len=25, test_mode=True)],
    [dict(type='UniformSampleFrames', clip_len=8, num_clips=4,
          test_mode=True)],
], ids=lambda steps: '-'.join(step['type'] for step in steps))
@pytest.mark.parametrize('persons', [1, 2, 3])
def test_focus_is_laid_onto_its_frames(steps, persons):
    clip = marked(persons)
    raw = clip['keypoint'][..., 0].copy()
    model = Seer()
    out = predict(model, pipeline(*steps), clip)
    assert out.label == 1 and out.scores.tolist() == [0, .75, .25]
    assert out.focus.shape == raw.shape
    # The marks grow evenly: between sampled frames they are exact, too.
    inside = slice(8, -8) if steps and 'clip_len' in steps[0] else slice(None)
    np.testing.assert_allclose(
        out.focus[:2, inside], raw[:2, inside], rtol=1e-4)
    assert (out.focus[2:] == 0).all()
    for classes in model.asked[1:]:
        assert (classes == 1).all()


def test_the_most_focused_person_is_shown():
    clip = marked()

    class Clips:
        pipeline = pipeline(dict(type='PadTo', length=60))

        @staticmethod
        def get_data_info(index):
            return dict(clip, keypoint=clip['keypoint'].copy())

    shown = look_at(Seer(), Clips, 0)
    np.testing.assert_array_equal(shown.keypoint, clip['keypoint'][1])
    np.testing.assert_allclose(shown.focus, clip['keypoint'][1, ..., 0],
                               rtol=1e-6)
    assert shown.title == 'clip: class 1 (correct, p = 0.75)'
    clip['label'] = 0
    title = look_at(Seer(), Clips, 0, ['walk', 'run', 'sit']).title
    assert title == 'clip: walk (predicted run, p = 0.75)'
