"""Write a self-contained HTML page of clips and their focus.

The page opens offline in any browser and makes no network requests: its
content security policy allows only the script and the style in it, by their
hashes. Its parts are in the folder ``page``.
"""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from stf_mmaction.datasets.layouts import Layout
from stf_mmaction.files import replacing

from .limbs import limbs
from .views import upright

PARTS = Path(__file__).with_name('page')
SCRIPTS = ('data', 'palette', 'stage', 'heatmap', 'app', 'controls')
UNSEEN = -32768  # an int16 to which no coordinate is rounded
LARGEST = 32767


class NetworkView(NamedTuple):
    """Prediction and focus of one network for one clip.

    Attributes:
        scores (numpy.ndarray): Probabilities of the classes, shape (K,).
        classes (Sequence[int]): S class indices: the most probable, the
            second, and the label if it is neither.
        focus (numpy.ndarray): Focus for each of them, in [0, 1], (S, M, T, V).
    """

    scores: np.ndarray
    classes: Sequence[int]
    focus: np.ndarray


class PageClip(NamedTuple):
    """A clip and the results of each network.

    Attributes:
        clip_id (str): Its ``frame_dir``.
        label (int, optional): Its class, None if unknown.
        keypoint (numpy.ndarray): Shape (M, T, V, 2 or 3). A joint at zero
            was not seen.
        views (Sequence[NetworkView]): The results of each network.
    """

    clip_id: str
    label: Optional[int]
    keypoint: np.ndarray
    views: Sequence[NetworkView]


def write_page(
    path: Union[str, Path],
    clips: Sequence[PageClip],
    layout: Layout,
    networks: Sequence[str] = ('network',),
    class_names: Optional[Sequence[str]] = None,
    title: str = 'Where it looks',
    fps: float = 30,
) -> None:
    """Write a page that plays clips with their focus, and lets readers turn and search them.

    Coordinates are rounded to 16 bits of the clip's extent, the focus to 8
    bits. The same input gives the same bytes.

    Args:
        path (str or Path): The file, replaced if it exists.
        clips (Sequence[PageClip]): The clips to show.
        layout (Layout): The skeleton.
        networks (Sequence[str]): Names of the networks, shown side by side.
            Defaults to one, ``('network', )``.
        class_names (Sequence[str], optional): Names of all classes. Defaults
            to None, their numbers.
        title (str): Title of the page.
        fps (float): Frames per second at normal speed. Defaults to 30.

    Raises:
        ValueError: If there is no clip, or one does not fit the layout, the
            networks or the names.
    """
    if not clips:
        raise ValueError('there is no clip to show: choose at least one')
    for clip in clips:
        _check(clip, layout, networks, class_names)
    names = layout.names or [f'joint {joint}' for joint in range(layout.num_node)]
    groups = [limb.joints for limb in limbs(layout)]
    order = [joint for limb in groups for joint in limb]
    starts = [limb[0] for limb in groups[1:]]
    data = dict(
        layout=dict(names=list(names), bones=layout.inward, order=order, starts=starts),
        networks=list(networks),
        classes=list(class_names or []),
        fps=fps,
        clips=[_record(clip, layout) for clip in clips],
    )
    with replacing(path) as partial:
        # A network may be named after a file whose name is not valid text.
        with partial.open('w', encoding='utf-8', errors='backslashreplace', newline='\n') as file:
            file.write(_assemble(title, data))


def _check(
    clip: PageClip, layout: Layout, networks: Sequence[str], names: Optional[Sequence[str]]
) -> None:
    shape = clip.keypoint.shape
    if len(shape) != 4 or shape[2] != layout.num_node or shape[3] not in (2, 3) or 0 in shape:
        raise ValueError(
            f'clip {clip.clip_id} has keypoints of shape {shape}, which must be (persons, frames, '
            f'{layout.num_node} joints, 2 or 3)'
        )
    if len(clip.views) != len(networks):
        raise ValueError(
            f'clip {clip.clip_id} has views of {len(clip.views)} networks, but there are '
            f'{len(networks)} names: give one for each'
        )
    for view in clip.views:
        wanted = (len(view.classes), *shape[:3])
        if view.focus.shape != wanted or not len(view.classes):
            raise ValueError(
                f'clip {clip.clip_id} has a focus of shape {view.focus.shape}, '
                f'but {wanted} is needed: (classes, persons, frames, joints)'
            )
        if names and len(names) != len(view.scores):
            raise ValueError(
                f'{len(names)} class names for a network of '
                f'{len(view.scores)} classes: give one for each'
            )


def _record(clip: PageClip, layout: Layout) -> Dict:
    """Return a clip as the page reads it, upright, without persons who are never seen."""
    seen = (clip.keypoint != 0).any(-1) & np.isfinite(clip.keypoint).all(-1)
    present = seen.any((1, 2))
    present[0] |= not present.any()
    keypoint, seen = clip.keypoint[present], seen[present]
    if keypoint.shape[-1] == 3:
        keypoint = upright(np.where(seen[..., None], keypoint, np.nan), layout)
    points, middle, step = _quantised(keypoint, seen)
    return dict(
        id=str(clip.clip_id),
        label=None if clip.label is None else int(clip.label),
        shape=keypoint.shape,
        middle=middle,
        step=step,
        points=_base64(points.astype('<i2')),
        views=[
            dict(
                scores=[round(float(score), 4) for score in view.scores],
                classes=[int(index) for index in view.classes],
                focus=[
                    _base64(np.rint(255 * one[present].clip(0, 1)).astype(np.uint8))
                    for one in view.focus
                ],
            )
            for view in clip.views
        ],
    )


def _quantised(keypoint: np.ndarray, seen: np.ndarray) -> Tuple[np.ndarray, List[float], float]:
    """Return integers, and the centre and step that convert them back."""
    channels = keypoint.shape[-1]
    places = keypoint[seen].astype(np.float64)
    if not len(places):
        return np.full(keypoint.shape, UNSEEN), [0.0] * channels, 1.0
    low, high = places.min(0), places.max(0)
    middle = (low + high) / 2
    step = float((high - low).max()) / (2 * LARGEST) or 1.0
    whole = np.full(keypoint.shape, UNSEEN)
    whole[seen] = np.rint((places - middle) / step).clip(-LARGEST, LARGEST)
    return whole, middle.tolist(), step


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _assemble(title: str, data: Dict) -> str:
    """Assemble the parts of the page."""
    style = _part('style.css')
    script = "'use strict';\n" + '\n'.join(_part(f'{name}.js') for name in SCRIPTS)
    policy = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
    policy += f"style-src {_hash(style)}; script-src {_hash(script)}"
    values = dict(
        title=html.escape(title),
        policy=html.escape(policy, quote=False),
        style=style,
        script=script,
        data=_json(data),
    )
    # In one pass, so that no value is mistaken for a placeholder.
    return re.sub(r'\{\{(\w+)\}\}', lambda found: values[found.group(1)], _part('page.html'))


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding='utf-8')


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(data: Dict) -> str:
    """Return JSON in which an HTML parser finds no tag or comment."""
    text = json.dumps(data, separators=(',', ':'), allow_nan=False)
    for letter in '<>&':
        text = text.replace(letter, f'\\u{ord(letter):04x}')
    return text
