"""Draw animations of clips, side by side, above their focus over time."""

from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Sequence, Tuple, Union

import numpy as np

from stf_mmaction.datasets.layouts import Layout
from stf_mmaction.files import replacing

from .clip import FocusedClip
from .heatmap import draw_heatmap
from .saving import check_ending
from .skeleton import PersonNumbers, PoseArtists
from .still import NUMBERS, add_bar, add_outline, joint_size
from .style import Theme, fitted, shown, styled, theme_of
from .views import Projected, project, show_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

ANIMATIONS = ('.gif', '.mp4')
DPI = 100
PANEL = 3.1  # inches wide
BODY = (1.8, 3.3)  # inches high, at least and at most
HEAT = 0.95  # of the heat map of a person
HEAT_LABELS = 9  # rows of text that fit beside it
COLUMNS = 4
TITLE_SIZE = 8.5  # points
GIF_FRAMES = 120  # a longer clip skips some, so that files stay small
GIF_COLORS = 64


def animate(
    clips: Sequence[FocusedClip],
    layout: Layout,
    path: Union[str, Path],
    view: str = 'auto',
    theme: str = 'light',
    fps: int = 15,
) -> None:
    """Write an animation of clips, as GIF or MP4 by the extension.

    Shorter clips stay in their last frame until the longest one ends. The same
    clips always give the same bytes.

    Args:
        clips (Sequence[FocusedClip]): The clips to show, side by side.
        layout (Layout): The skeleton.
        path (str or Path): The file; its folder is created.
        view (str): See :func:`project`. Defaults to ``'auto'``.
        theme (str): ``'light'`` or ``'dark'``. Defaults to ``'light'``.
        fps (int): Frames per second. Defaults to 15.

    Raises:
        ValueError: If there is no clip, or the extension is not supported.
        ImportError: If the encoder is not installed.
    """
    kind = check_ending(Path(path), ANIMATIONS)
    if not clips:
        raise ValueError('there is no clip to animate: choose at least one')
    length = max(clip.keypoint.shape[1] for clip in clips)
    step = -(-length // GIF_FRAMES) if kind == '.gif' else 1
    images = render(clips, layout, range(0, length, step), view, theme)
    write = _write_gif if kind == '.gif' else _write_mp4
    with replacing(path) as partial:
        write(partial, images, fps / step, theme_of(theme))


def render(
    clips: Sequence[FocusedClip],
    layout: Layout,
    frames: Sequence[int],
    view: str = 'auto',
    theme: str = 'light',
) -> Iterator[np.ndarray]:
    """Draw frames one after the other.

    Args:
        clips, layout, view, theme: As in :func:`animate`.
        frames (Sequence[int]): The frames to draw.

    Yields:
        numpy.ndarray: RGB, uint8, shape (height, width, 3), both even.
    """
    for clip in clips:
        clip.check(layout.num_node)
    clips = [clip.present() for clip in clips]
    colors = theme_of(theme)
    with styled(colors, [*(c.title for c in clips), *(layout.names or ())]):
        figure, panels = _panels(clips, layout, view, colors)
        for frame in frames:
            for panel in panels:
                panel.show(frame)
            yield pixels(figure)


class _Panel:
    """A clip in an animation, and the cursor in its heat map."""

    def __init__(
        self,
        clip: FocusedClip,
        projected: Projected,
        pose: PoseArtists,
        numbers: PersonNumbers,
        cursor: 'Line2D',
    ) -> None:
        self.clip, self.projected = clip, projected
        self.pose, self.numbers, self.cursor = pose, numbers, cursor

    def show(self, frame: int) -> None:
        frame = min(frame, self.clip.keypoint.shape[1] - 1)
        self.pose.show(self.projected.points[:, frame], self.clip.focus[:, frame])
        self.numbers.show(self.projected.points[:, frame])
        self.cursor.set_xdata([frame, frame])


def _panels(
    clips: Sequence[FocusedClip], layout: Layout, view: str, theme: Theme
) -> Tuple['Figure', List[_Panel]]:
    from matplotlib.figure import Figure

    columns = min(len(clips), COLUMNS)
    rows = -(-len(clips) // columns)
    projections = [project(clip, layout, view) for clip in clips]
    shapes = [(top - bottom) / (right - left) for *_, (left, right, bottom, top) in projections]
    high = float(np.clip(PANEL * max(shapes), *BODY))
    heat_high = HEAT * min(2, max(len(clip.keypoint) for clip in clips))
    size = ((PANEL + 0.5) * columns + 0.6, (high + heat_high + 0.9) * rows)
    figure = Figure(figsize=size, dpi=DPI, layout='constrained')
    figure.get_layout_engine().set(w_pad=0.08)
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=(high, heat_high) * rows)
    panels = []
    for number, (clip, projected) in enumerate(zip(clips, projections)):
        row, column = divmod(number, columns)
        body = figure.add_subplot(grid[2 * row, column])
        left, right, bottom, top = projected.limits
        numbers = NUMBERS * (top - bottom) * (len(clip.keypoint) > 1)
        show_limits(body, (left, right, bottom, top + numbers), high / PANEL)
        if projected.view == 'image' and clip.img_shape is not None:
            add_outline(body, (left, bottom), right - left, top - bottom, theme)
        body.set_title(_wrapped(clip.title), fontsize=TITLE_SIZE)
        scale = min(PANEL / (right - left), high / (top - bottom))
        pose = PoseArtists(body, layout, theme, size=1.35 * joint_size(projected, scale))
        heat = figure.add_subplot(grid[2 * row + 1, column])
        image = draw_heatmap(heat, clip.focus, layout, theme, labels=HEAT_LABELS)
        cursor = heat.axvline(0, color=theme.text, linewidth=1)
        persons = PersonNumbers(body, len(clip.keypoint))
        panels.append(_Panel(clip, projected, pose, persons, cursor))
    add_bar(figure, image, clips[0].what)
    for panel in panels:
        panel.show(0)
    figure.draw_without_rendering()  # lays it out
    figure.set_layout_engine('none')  # only the clips move
    return figure, panels


def _wrapped(title: str) -> str:
    """Break a title at its colon; each line fits into a panel."""
    name, *verdict = title.split(': ', 1)
    lines = [fitted(shown(name), PANEL, TITLE_SIZE)]
    lines += [fitted(shown(line, 120), PANEL, TITLE_SIZE, 2) for line in verdict]
    return '\n'.join(lines)


def pixels(figure: 'Figure') -> np.ndarray:
    """Return a figure as RGB, uint8, shape (height, width, 3), both even."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3]
    return image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2].copy()


def _write_gif(path: Path, images: Iterator[np.ndarray], fps: float, theme: Theme) -> None:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError('a GIF needs Pillow: run "pip install pillow" (extra "visual")') from None
    drawn = next(images)
    # The colours of the focus are in the palette whether or not the first frame shows them.
    every = np.rint(255 * theme.colors(np.linspace(0, 1, drawn.shape[1]))[:, :3]).astype(np.uint8)
    colors = Image.fromarray(np.concatenate([drawn, np.repeat(every[None], 30, 0)]))
    colors = colors.quantize(GIF_COLORS)
    # The background is exactly that of the theme, as the page around it may be.
    palette, background = colors.getpalette(), colors.getpixel((0, 0))
    palette[3 * background : 3 * background + 3] = drawn[0, 0].tolist()

    def indexed(image: np.ndarray) -> Image.Image:
        # With one palette and no dither, only moving parts differ between frames.
        found = Image.fromarray(image).quantize(palette=colors, dither=Image.Dither.NONE)
        places = np.array(found)
        places[(image == drawn[0, 0]).all(-1)] = background
        found = Image.frombytes('P', found.size, places.tobytes())
        found.putpalette(palette)
        return found

    indexed(drawn).save(
        path,
        format='GIF',
        save_all=True,
        append_images=map(indexed, images),
        duration=max(20, round(100 / fps) * 10),
        loop=0,
        optimize=True,
    )


def _write_mp4(path: Path, images: Iterator[np.ndarray], fps: float, _: Theme) -> None:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise ImportError(
            'an MP4 needs imageio-ffmpeg: run "pip install imageio-ffmpeg" (extra "visual")'
        ) from None
    first = next(images)
    size = (first.shape[1], first.shape[0])
    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=fps,
        codec='libx264',
        pix_fmt_out='yuv420p',
        macro_block_size=2,
        # One thread and no date: equal clips give equal bytes.
        output_params=['-threads', '1', '-fflags', '+bitexact', '-flags:v', '+bitexact'],
    )
    writer.send(None)
    try:
        writer.send(first)
        for image in images:
            writer.send(image)
    finally:
        writer.close()
