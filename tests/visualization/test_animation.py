"""Animations: their frames, their size, equal bytes."""

import numpy as np
import pytest
from helpers.networks import STAR
from helpers.pictures import NAMED, clip

from stf_mmaction.datasets import get_layout
from stf_mmaction.visualization import animation
from stf_mmaction.visualization.animation import animate, render

Image = pytest.importorskip('PIL.Image')


def test_frames_move_and_short_clips_wait():
    clips = [clip(frames=2), clip(frames=4, seed=1), clip(persons=2, frames=1, seed=2)]
    images = list(render(clips, get_layout(NAMED), range(4)))
    assert len(images) == 4
    for image in images:
        assert image.dtype == np.uint8 and image.shape == images[0].shape
        assert image.shape[0] % 2 == image.shape[1] % 2 == 0
    third = images[0].shape[1] // 3  # of the panels, without the colour bar
    moves = [
        [(a != b)[:, i * third : (i + 1) * third - 40].any() for i in range(3)]
        for a, b in zip(images, images[1:])
    ]
    assert moves == [[True, True, False], [False, True, False], [False, True, False]]


def test_a_gif_loops_and_long_clips_skip_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(animation, 'GIF_FRAMES', 3)
    for name in 'ab':
        animate([clip(frames=6)], get_layout(STAR), tmp_path / f'{name}.gif', fps=10)
    assert (tmp_path / 'a.gif').read_bytes() == (tmp_path / 'b.gif').read_bytes()
    with Image.open(tmp_path / 'a.gif') as gif:
        assert gif.n_frames == 3 and gif.info['loop'] == 0
        assert gif.info['duration'] == 200  # every second frame, as long as two
        for frame in range(3):
            gif.seek(frame)
            assert gif.convert('RGB').getpixel((0, 0)) == (255, 255, 255)


def test_an_mp4_is_written(tmp_path):
    pytest.importorskip('imageio_ffmpeg')
    for name in 'ab':
        animate([clip(frames=2)], get_layout(STAR), tmp_path / f'{name}.mp4', theme='dark')
    data = (tmp_path / 'a.mp4').read_bytes()
    assert data[4:8] == b'ftyp' and data == (tmp_path / 'b.mp4').read_bytes()


def test_what_cannot_be_animated_is_said(tmp_path):
    with pytest.raises(ValueError, match='no clip to animate'):
        animate([], get_layout(STAR), tmp_path / 'a.gif')
    with pytest.raises(ValueError, match='a.avi must end in .gif or .mp4'):
        animate([clip()], get_layout(STAR), tmp_path / 'a.avi')
    assert not list(tmp_path.iterdir())
