"""Pictures of the focus: what is in them, for skeletons of any kind."""

import io

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from networks import STAR

from stf_mmaction.datasets import get_layout
from stf_mmaction.visualization import FocusedClip, draw_focus

NAMED = dict(STAR, names=['hip', 'spine', 'head', 'l_foot', 'r_foot'])


def clip(frames=9, joints=5, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return FocusedClip(
        rng.normal(size=(frames, joints, channels)), rng.random((frames, joints)), f'clip {seed}'
    )


def drawn(clips, layout):
    """The axes of poses and of joints over frames, two a clip."""
    figure = draw_focus(clips, get_layout(layout))
    file = io.BytesIO()
    figure.savefig(file, dpi=40)
    assert file.getvalue()[:4] == b'\x89PNG'
    axes = figure.axes[: 2 * len(clips)]
    return axes[::2], axes[1::2]


def test_every_joint_is_named_beside_its_focus():
    one = clip()
    _, (heat,) = drawn([one], NAMED)
    labels = [text.get_text() for text in heat.get_yticklabels()]
    assert sorted(labels) == sorted(NAMED['names'])
    image = heat.images[0].get_array()
    for row, name in enumerate(labels):
        np.testing.assert_array_equal(image[row], one.focus[:, NAMED['names'].index(name)])
    _, (heat,) = drawn([one], STAR)
    assert {t.get_text() for t in heat.get_yticklabels()} == set('01234')


def test_limbs_stay_together():
    _, (heat,) = drawn([clip()], NAMED)
    labels = [text.get_text() for text in heat.get_yticklabels()]
    assert labels == ['hip', 'spine', 'head', 'l_foot', 'r_foot']


def test_bones_and_sizes_are_those_of_the_clip():
    one = clip(frames=1)
    one.keypoint[0, 4] = 0  # not seen, and neither is its bone
    (poses,), _ = drawn([one], NAMED)
    (lines,) = [c for c in poses.collections if isinstance(c, LineCollection)]
    (dots,) = [c for c in poses.collections if isinstance(c, PathCollection)]
    assert len(lines.get_segments()) == 3
    np.testing.assert_array_equal(dots.get_array(), one.focus[0, :4])
    order = np.argsort(dots.get_sizes())
    assert (order == np.argsort(one.focus[0, :4])).all()
    for (child, parent), line in zip(NAMED['inward'], lines.get_segments()):
        place = one.keypoint[0, [child, parent], :2]
        np.testing.assert_allclose(line[0] - line[1], place[0] - place[1])


def test_images_have_their_origin_at_the_top():
    for channels, upside_down in ((2, True), (3, False)):
        (poses,), _ = drawn([clip(channels=channels)], STAR)
        assert poses.yaxis_inverted() == upside_down


@pytest.mark.parametrize('frames', [1, 2, 40])
@pytest.mark.parametrize(
    'layout',
    [
        dict(num_node=1, inward=[], center=0),
        dict(num_node=133, inward=[(j, j - 1) for j in range(1, 133)], center=0),
    ],
)
def test_one_joint_and_whole_bodies(frames, layout):
    joints = layout['num_node']
    poses, heats = drawn([clip(frames, joints, seed=seed) for seed in range(2)], layout)
    for heat in heats:
        assert heat.images[0].get_array().shape == (joints, frames)
        labels = heat.get_yticklabels()
        assert 0 < len(labels) <= 30
        for tick, label in zip(heat.get_yticks(), labels):
            assert label.get_text() == str(int(tick))
    assert [p.get_title('left') for p in poses] == ['clip 0', 'clip 1']


def test_a_person_who_is_never_seen_and_no_clip_at_all():
    one = clip()
    drawn([one._replace(keypoint=one.keypoint * 0)], STAR)
    with pytest.raises(ValueError, match='no clip to draw'):
        draw_focus([], get_layout(STAR))
