"""Pictures of the focus: what is in them, for skeletons of any kind."""

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import STAR
from helpers.pictures import NAMED, clip

from stf_mmaction.datasets import get_layout
from stf_mmaction.datasets.layouts import LAYOUTS
from stf_mmaction.visualization import FocusedClip, draw_focus, file_stem, save, style
from stf_mmaction.visualization.animation import _panels, pixels
from stf_mmaction.visualization.heatmap import spread
from stf_mmaction.visualization.limbs import joint_order, limbs
from stf_mmaction.visualization.still import FocusFigure
from stf_mmaction.visualization.style import THEMES, fitted, shown, styled, theme_of
from stf_mmaction.visualization.views import centred, project

LIGHT = theme_of('light')


def drawn(clips, layout, **settings):
    """The axes of poses and of joints over frames, two per clip."""
    figure = draw_focus(clips, get_layout(layout), **settings)
    figure.draw_without_rendering()
    axes = figure.axes[: 2 * len(clips)]
    return axes[::2], axes[1::2]


def artists(axes):
    """The bones and the joints of a drawing."""
    bones, joints = axes.collections
    return bones.get_segments(), joints


def test_rows_are_joints_by_limb_and_hold_their_focus():
    one = clip()
    _, (heat,) = drawn([one], NAMED)
    labels = [text.get_text() for text in heat.get_yticklabels()]
    assert sorted(labels) == sorted(NAMED['names'])
    image = heat.images[0].get_array()
    for row, name in enumerate(labels):
        np.testing.assert_array_equal(image[row], one.focus[0, :, NAMED['names'].index(name)])
    _, (heat,) = drawn([one], STAR)
    assert {t.get_text() for t in heat.get_yticklabels()} == set('01234')


def test_all_persons_are_drawn_and_absent_ones_are_not():
    two = clip(persons=3)
    two.keypoint[1] = 0
    (poses,), (heat,) = drawn([two], NAMED)
    image = heat.images[0].get_array()
    assert image.shape == (10, 9)
    rows = [t.get_text() for t in heat.get_yticklabels()]
    assert rows[:5] == rows[5:]
    hip = rows.index('hip')
    np.testing.assert_array_equal(image[5 + hip], two.focus[2, :, 0])
    assert [t.get_text() for t in heat.texts] == ['person 1', 'person 2']
    numbers = [text for text in poses.texts if text.get_text() in '12' and text.get_visible()]
    first = project(two.present(), get_layout(NAMED)).points[:, 0, :, 1].max(1)
    assert [text.get_text() for text in numbers[:2]] == ['1', '2']
    np.testing.assert_allclose(np.diff([text.xy[1] for text in numbers[:2]]), np.diff(first))
    _, joints = artists(poses)
    frames = len(joints.get_offsets()) // 10
    assert len(joints.get_offsets()) == 10 * frames


def test_joints_and_bones_are_where_the_clip_has_them():
    one = clip(frames=1)
    one.keypoint[0, 0, 4] = 0  # not seen, and neither is its bone
    (poses,), _ = drawn([one], NAMED, view='front')
    bones, joints = artists(poses)
    assert len(bones) == 3
    seen = one.focus[0, 0, :4]
    order = np.argsort(seen)
    np.testing.assert_allclose(joints.get_array(), seen[order])
    assert (np.diff(joints.get_sizes()) > 0).all()  # size tells it without colour
    places = one.keypoint[0, 0, order, :2]
    np.testing.assert_allclose(np.diff(joints.get_offsets(), axis=0), np.diff(places, axis=0))
    for (child, parent), line in zip(NAMED['inward'], bones):
        place = one.keypoint[0, 0, [child, parent], :2]
        np.testing.assert_allclose(line[0] - line[1], place[0] - place[1])
    assert poses.get_aspect() == 1


def test_a_figure_can_show_another_focus_of_its_clips():
    clips = [clip(persons=2), clip(seed=1)]
    clips[0].keypoint[1] = 0  # absent
    others = [one._replace(focus=1 - one.focus, title=f'other {i}') for i, one in enumerate(clips)]
    changed = FocusFigure(clips, get_layout(NAMED))
    whole = FocusFigure(others, get_layout(NAMED)).figure
    first = changed.pixels()
    changed.update(others)
    second = changed.pixels()
    assert (first != second).any()
    # As a figure that is drawn anew, but for the order of edges that touch.
    height, width = pixels(whole).shape[:2]
    far = np.abs(second[:height, :width].astype(int) - pixels(whole)).max(-1) > 32
    assert far.mean() < 1e-3
    changed.update(clips)
    np.testing.assert_array_equal(changed.pixels(), first)


def test_pixels_point_down_and_lie_in_the_frame_of_the_video():
    one = clip(channels=2, frames=4, img_shape=(100, 200))
    one.keypoint[..., 0] = np.linspace(10, 190, 5)
    one.keypoint[..., 1] = np.linspace(10, 90, 5)
    found = project(one, get_layout(STAR))
    assert found.view == 'image' and found.limits == (0, 200, -100, 0)
    np.testing.assert_allclose(
        found.points[0, 0], np.stack([one.keypoint[0, 0, :, 0], -one.keypoint[0, 0, :, 1]], 1)
    )
    assert centred(found) is found
    (poses,), _ = drawn([one], STAR)
    assert len(poses.patches) == 3  # a frame around each pose


def test_persons_who_are_small_in_a_video_are_drawn_large():
    one = clip(channels=2, img_shape=(300, 400))
    for low, high, part in (
        ((380, 10), (400, 40), (240, 400, -120, 0)),  # at a corner: 0.4 of either side
        ((100, 100), (300, 200), None),  # half of the width, with a margin
        ((10, 10), (399, 290), (0, 400, -300, 0)),  # all of it
    ):
        one.keypoint[..., 0] = np.linspace(low[0], high[0], 5)
        one.keypoint[..., 1] = np.linspace(low[1], high[1], 5)
        left, right, bottom, top = found = project(one, get_layout(STAR)).limits
        assert (right - left) / (top - bottom) == pytest.approx(4 / 3)
        if part is not None:
            np.testing.assert_allclose(found, part)
        else:
            assert 200 < right - left < 300 and left < 100 and right > 300
            np.testing.assert_allclose([(left + right) / 2, (bottom + top) / 2], [200, -150])


def test_labels_move_apart_and_no_farther():
    np.testing.assert_allclose(spread([0, 1, 5], 2), [-0.5, 1.5, 5])
    np.testing.assert_allclose(spread([0, 0, 0, 1.5], 1), [-1.125, -0.125, 0.875, 1.875])
    np.testing.assert_allclose(spread([0, 2, 4], 2), [0, 2, 4])
    assert len(spread([], 1)) == 0


@pytest.mark.parametrize('still, view', [(2, 'front'), (0, 'side'), (1, 'top')])
def test_the_view_is_the_one_with_the_motion(still, view):
    one = clip(frames=20)
    one.keypoint[..., still] *= 0.05
    assert project(one, get_layout(STAR)).view == view
    assert project(one, get_layout(STAR), 'front').view == 'front'
    with pytest.raises(ValueError, match="view 'back' is unknown: use auto, front, side, top"):
        project(one, get_layout(STAR), 'back')


@pytest.mark.parametrize('axis, sign', [(1, 1), (1, -1), (2, 1), (2, -1), (0, 1)])
def test_heads_are_above_feet_whatever_axis_points_up(axis, sign):
    layout = LAYOUTS['kinect20']
    one = clip(joints=20, frames=3)
    one.keypoint[:] *= 0.1
    one.keypoint[..., 3, axis] += 2 * sign  # the head
    for view in ('front', 'side'):
        points = project(one, layout, view).points
        assert (points[:, :, 3, 1] > points[:, :, 15, 1]).all()


def standing(tilt, bent=0.0):
    """A body in 4 frames, its trunk bent at the hips, before a camera that is tilted."""
    layout = LAYOUTS['kinect20']
    points = np.zeros((4, 20, 3)) + (0.0, 1.0, 3.0)
    trunk = dict(spine=0.2, shoulder_center=0.5, head=0.7)
    for name, high in trunk.items():
        points[:, layout.names.index(name)] += high * np.array([0, np.cos(bent), -np.sin(bent)])
    for side, x in (('l', 0.1), ('r', -0.1)):
        for name, low in dict(hip=0.05, knee=0.45, ankle=0.9, foot=0.95).items():
            points[:, layout.names.index(f'{side}_{name}')] += (x, -low, 0)
    sin, cos = np.sin(tilt), np.cos(tilt)
    turned = points @ np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    return FocusedClip(turned[None], np.ones((1, 4, 20)), 'standing'), layout


@pytest.mark.parametrize(
    'tilt, bent, left',
    [(20, 0, 0), (-30, 0, 0), (5, 0, 5), (50, 0, 50), (20, 60, None)],
    ids=['looks down', 'looks up', 'nearly level', 'no camera', 'nobody stands'],
)
def test_the_tilt_of_a_camera_is_taken_out(tilt, bent, left):
    one, layout = standing(*np.radians([tilt, bent]))
    points = project(one, layout, 'side').points[0, 0]
    head, foot = (points[layout.names.index(name)] for name in ('head', 'l_foot'))
    across, up = np.abs(head - foot)
    lean = np.degrees(np.arctan2(across, up))
    if left is None:  # as recorded
        np.testing.assert_allclose(points, one.keypoint[0, 0][:, [2, 1]])
    else:
        assert lean == pytest.approx(left, abs=0.1)
    still = project(one, layout, 'front').points[0, 0, :, 0]
    np.testing.assert_allclose(still, one.keypoint[0, 0, :, 0])  # sideways nothing changes


def test_skeletons_without_a_head_are_upright_and_unseen_ones_stay():
    layout = LAYOUTS['mediapipe_pose']  # y points down
    one = clip(joints=33, frames=5)
    one.keypoint[:] *= 0.1
    one.keypoint[..., [23, 24, 27, 28], 1] += 2  # hips and ankles
    points = project(one, layout, 'front').points
    assert (points[:, :, 11, 1] > points[:, :, 23, 1]).all()
    one.keypoint[:, 1:, 23] = 0  # seen in one frame of five
    points = project(one, layout, 'front').points
    assert (points[:, :, 11, 1] > points[:, :, 24, 1]).all()
    one.keypoint[:, 0, 23] = 0  # what says where up is was never seen
    points = np.where(one.seen[..., None], one.keypoint[..., :2], np.nan)
    np.testing.assert_array_equal(project(one, layout, 'front').points, points)


def test_poses_do_not_walk_out_of_their_place():
    one = clip(frames=30)
    one.keypoint[..., 0] += 100 * np.arange(30)[:, None]
    left, right, *_ = centred(project(one, get_layout(STAR), 'front')).limits
    assert right - left < 10


@pytest.mark.parametrize('name', LAYOUTS)
def test_limbs_of_every_layout(name):
    layout = LAYOUTS[name]
    groups = limbs(layout)
    assert sorted(j for limb in groups for j in limb.joints) == list(range(layout.num_node))
    assert sorted(joint_order(layout)) == list(range(layout.num_node))
    names = [limb.name for limb in groups]
    if name in ('kinect20', 'nturgb+d', 'sbu', 'openpose', 'h36m'):
        assert names[:1] == ['trunk'] and {'left arm', 'right arm', 'left leg'} <= set(names)
        assert 3 < len(groups) <= 7
    if name == 'coco_wholebody':
        assert [len(limb.joints) for limb in groups if limb.name == 'face'] == [68]
        assert names.count('left hand') == 5 and {'left face', 'right face'} <= set(names)
    if name == 'shrec_hand':
        assert {'thumb', 'index', 'middle', 'ring', 'little'} <= set(names)


def test_rings_and_single_joints_have_limbs():
    ring = get_layout(dict(num_node=4, inward=[(1, 0), (2, 1), (3, 2), (0, 3)], center=0))
    assert sorted(joint_order(ring)) == [0, 1, 2, 3]
    drawn([clip(joints=4)], ring)
    drawn([clip(joints=1, frames=1)], dict(num_node=1, inward=[], center=0))


@pytest.mark.parametrize('frames', [1, 2, 40])
@pytest.mark.parametrize('persons', [1, 2])
def test_whole_bodies_name_as_many_rows_as_fit(frames, persons):
    chain = dict(num_node=133, inward=[(j, j - 1) for j in range(1, 133)], center=0)
    _, heats = drawn([clip(persons, frames, 133, seed=seed) for seed in range(2)], chain)
    for heat in heats:
        assert heat.images[0].get_array().shape == (133 * persons, frames)
        assert 0 < len(heat.get_yticklabels()) <= 26
    whole = LAYOUTS['coco_wholebody']
    _, (heat,) = drawn([clip(persons, frames, 133)], whole)
    names = [label.get_text() for label in heat.get_yticklabels()]
    once = ['trunk', 'left face', 'right face', 'face', 'left hand', 'right hand']
    assert names == [*once, 'left leg', 'right leg'] * persons
    assert heat.get_yticks().min() >= -0.5 and heat.get_yticks().max() <= 133 * persons - 0.5


def test_one_frame_and_another_map():
    figure = draw_focus([clip(frames=1, what='motion')], get_layout(STAR))
    figure.draw_without_rendering()
    _, heat, bar = figure.axes
    low, high = heat.get_xlim()
    assert [place for place in heat.get_xticks() if low <= place <= high] == [0]
    assert bar.get_ylabel() == 'motion'


def test_nobody_at_all_and_no_clip():
    one = clip()
    one.keypoint[:, 0] = 0
    (poses,), _ = drawn([one], STAR)
    assert poses.texts[0].get_text() == 'frame 0: no joint seen'
    one = clip()
    drawn([one._replace(keypoint=one.keypoint * 0)], STAR)
    drawn([one._replace(keypoint=one.keypoint * np.nan)], STAR)
    with pytest.raises(ValueError, match='no clip to draw'):
        draw_focus([], get_layout(STAR))
    with pytest.raises(ValueError, match=r"clip 'clip 0' has keypoints of shape .* 20, 2 or 3"):
        draw_focus([one], LAYOUTS['kinect20'])


NAMES = [
    '$\\frac{$',
    '$$',
    'a_b^{',
    'x' * 300,
    'two\nlines\ttab\0',
    '50 % \\alpha',
    '拍手',
    'ملف',
    '\ud800',
]


@pytest.mark.parametrize('ending', ['png', 'svg', 'pdf'])
def test_any_name_can_be_drawn_and_equal_pictures_are_equal_bytes(ending, tmp_path):
    layout = get_layout(dict(STAR, names=NAMES[:5]))
    clips = [clip(frames=2, title=name) for name in NAMES[5:]]
    for name in 'ab':
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            save(draw_focus(clips, layout), tmp_path / name / f'x.{ending}', LIGHT)
    first = (tmp_path / f'a/x.{ending}').read_bytes()
    assert first == (tmp_path / f'b/x.{ending}').read_bytes()
    assert first[:4] in (b'\x89PNG', b'<?xm', b'%PDF')


def test_a_font_is_found_or_its_lack_is_said(monkeypatch):
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    style._fonts_with.cache_clear()
    own = [e for e in font_manager.fontManager.ttflist if e.name == 'DejaVu Sans']
    monkeypatch.setattr(font_manager.fontManager, 'ttflist', own)
    monkeypatch.setattr(font_manager, 'findSystemFonts', list)
    with pytest.warns(UserWarning, match="no installed font has the characters '[手拍]+'.*install"):
        with styled(LIGHT, ['拍手 ok é']):
            pass
    # Fonts that were installed after matplotlib looked for them are found.
    installed = matplotlib.get_data_path() + '/fonts/ttf/STIXGeneral.ttf'
    chart = set(FT2Font(installed).get_charmap()) - set(FT2Font(own[0].fname).get_charmap())
    monkeypatch.setattr(font_manager, 'findSystemFonts', lambda: [installed])
    style._fonts_with.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with styled(LIGHT, [chr(min(c for c in chart if chr(c).isalpha()))]):
            assert matplotlib.rcParams['font.family'] == ['DejaVu Sans', 'STIXGeneral']
    style._fonts_with.cache_clear()


def test_shown_names_are_one_line():
    assert shown('right \u200e to left') == 'right \u200e to left'  # the mark is not seen
    assert shown('two\nlines\ttab\0') == 'two lines tab'
    assert len(shown('x' * 300)) == 60 and shown('x' * 300).endswith('…')


def test_texts_are_broken_and_cut_by_their_width():
    with styled(LIGHT, ['拍手']):
        assert fitted('deep squat', 2, 9) == 'deep squat'
        assert fitted('deep squat', 0.5, 9, lines=2) == 'deep\nsquat'
        narrow, wide = (len(fitted(letter * 300, 2, 9)) for letter in 'iW')
        assert narrow > 2 * wide and fitted('W' * 300, 2, 9).endswith('W…')
        assert fitted('拍' * 99, 1, 9, lines=2).count('\n') == 1
        assert fitted('W', 0.01, 9) == '…'
        assert fitted('likely, p = 0.76', 0.8, 9, lines=2) == 'likely,\np = 0.76'


def test_names_that_run_from_right_to_left_leave_the_rest_in_order():
    name = shown('שלום')
    assert name == '\u200eשלום\u200e' and shown(name) == f'\u200e{name}\u200e'
    with styled(LIGHT):
        first, second = fitted(f'a: {name} (predicted {name}, p = 0.76)', 1.2, 9, 2).split('\n')
    assert first[0] == second[0] == '\u200e'


LONG = 'W' * 30 + ' ' + 'x' * 300


def test_long_titles_stay_above_their_clip():
    clips = [clip(frames=4, title=f'{LONG}: {LONG}', seed=seed) for seed in range(2)]
    figure = FocusFigure(clips, get_layout(NAMED), 'side')
    figure.figure.draw_without_rendering()
    poses, heat = figure.figure.axes[:2]
    assert poses._left_title.get_window_extent().x1 <= heat.get_window_extent().x0
    assert poses.get_title('left').endswith('… · side view')
    figure.update([one._replace(title='one line') for one in clips])
    figure.update(clips)
    assert poses.get_title('left').count('\n') == 1
    assert poses.get_window_extent().y1 < poses._left_title.get_window_extent().y0
    bodies = [
        panel.pose.joints.axes for panel in _panels(clips, get_layout(NAMED), 'side', LIGHT)[1]
    ]
    first, second = (axes.title.get_window_extent() for axes in bodies)
    assert first.x1 < second.x0


def test_two_clips_never_share_a_file():
    names = ['a/b', 'a_b', 'a b', 'a\\b', '..', '.', '', 'é', 'e', 'x' * 300, 'x' * 301, 'A b']
    stems = [file_stem(name) for name in names]
    assert len(set(stems)) == len(names)
    assert all(0 < len(stem) < 100 and '/' not in stem and stem != '..' for stem in stems)
    assert file_stem('S001C001P001R001A011') == 'S001C001P001R001A011'


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match='x.bmp must end in .png, .svg or .pdf'):
        save(draw_focus([clip()], get_layout(STAR)), tmp_path / 'x.bmp', LIGHT)


@pytest.mark.parametrize('name', THEMES)
def test_luminance_of_the_colours_changes_evenly(name):
    """So that a print in black and white, and the colour-blind, can read it."""
    rgb = theme_of(name).colors(np.linspace(0, 1, 64))[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    steps = np.diff((linear @ (0.2126, 0.7152, 0.0722)) ** (1 / 3))
    assert (steps > 0).all() or (steps < 0).all()


def test_matplotlib_is_loaded_when_something_is_drawn():
    for path in Path(style.__file__).parent.glob('*.py'):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in getattr(node, 'names', ())]
            names.append(getattr(node, 'module', None) or '')
            assert not any(name.startswith('matplotlib') for name in names), path
