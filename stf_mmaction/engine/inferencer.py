"""Classify keypoints and compute the focus, in your own code."""

import logging
from numbers import Integral
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import print_log

from stf_mmaction.datasets.class_names import find_class_names, read_class_names
from stf_mmaction.datasets.numbers import anyone_seen, usable

from .inference import class_names_of, load_model, num_classes_of, predict
from .provenance import data_sets_of


class STFInferencer:
    """Classify skeletons and compute where the network looks::

        inferencer = STFInferencer('config.py', 'epoch_55.pth')
        result = inferencer(keypoints)

    Args:
        config (str or Config): Config of an ``STFRecognizer`` with an ``STFHead``
            or an ``STFEnsemble``. Its test pipeline prepares the keypoints.
        checkpoint (str, optional): File or URL. Defaults to None, which
            leaves the weights random.
        device (str): Defaults to ``'cpu'``.
        class_names (Sequence[str] or str, optional): Names of all classes, or a
            text file with one per line. Defaults to None, those in the
            checkpoint or the config.
        window (int, optional): Frames of a window, for recordings of many
            actions: each window is classified as a clip. Defaults to None,
            recordings are whole clips.
        stride (int, optional): Frames from one window to the next. Defaults
            to None, half a window.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If they do not fit each other, or the config has no test
            pipeline.
    """

    def __init__(
        self,
        config: Union[str, Config],
        checkpoint: Optional[str] = None,
        device: str = 'cpu',
        class_names: Union[Sequence[str], str, None] = None,
        window: Optional[int] = None,
        stride: Optional[int] = None,
    ) -> None:
        for name, value in (('window', window), ('stride', stride)):
            if value is not None and (not isinstance(value, Integral) or value < 1):
                raise ValueError(f'{name}={value!r} must be a whole number of frames, at least 1')
        if window is None and stride is not None:
            raise ValueError(f'stride={stride} needs a window: give both in frames')
        self.window = window
        self.stride = stride or (window and max(1, window // 2))
        cfg, self.model = load_model(config, checkpoint, device)
        dataset = data_sets_of(dict(test_dataloader=cfg.get('test_dataloader')))[0]
        if 'pipeline' not in dataset:
            raise ValueError(
                'the config has no test_dataloader.dataset.'
                'pipeline, which would prepare the keypoints'
            )
        # Keypoints are given in the form that DecompressPose returns.
        steps = [step for step in dataset['pipeline'] if step['type'] != 'DecompressPose']
        self.pipeline = Compose(steps)
        # The entries that a data set adds for its pipeline.
        self.stream = dataset.get('stream', 'j')
        self.class_names = self._names(class_names, dataset.get('metainfo'))

    def _names(self, given: Union[Sequence[str], str, None], meta: Optional[Dict]):
        """Return the names of the classes, or None if they are unknown."""
        if given is None:
            meta = dict(meta or {})
            if isinstance(meta.get('classes'), str):
                meta['classes'] = read_class_names(meta['classes'])
            known = getattr(self.model, 'dataset_meta', None)
            return find_class_names(num_classes_of(self.model), meta, known)
        return tuple(class_names_of(self.model, names=given))

    def __call__(
        self,
        keypoints: Union[np.ndarray, List[np.ndarray]],
        keypoint_score: Union[np.ndarray, List[np.ndarray], None] = None,
        img_shape: Optional[Tuple[int, int]] = None,
    ) -> Union[Dict, List[Dict]]:
        """Classify a clip, or each clip of a list.

        Args:
            keypoints (numpy.ndarray or list): As in an annotation file, in
                the same unit; shape (M, T, V, C), or (T, V, C) for one
                person. A list of arrays holds clips of any length; nested
                lists of numbers are one array.
            keypoint_score (numpy.ndarray or list, optional): Shape
                (M, T, V) or (T, V). Defaults to None.
            img_shape (tuple[int, int], optional): Height and width in pixels
                of the video, which MMAction2's 2D pipelines need.
                Defaults to None, what the pipeline assumes.

        Returns:
            dict or list[dict]: ``pred_label`` (int); ``class_name`` (str) if
            the names are known; ``pred_scores``, probabilities, shape (K,);
            ``focus`` in [0, 1] for that class, in the frames and persons
            given, shape (M, T, V); ``left_out`` (list[int]), the persons
            beyond the network's ``num_person``, which are logged, too. With a
            ``window``, a list of these for each recording, each also with
            ``frames``, (start, end), excluding the end; in a window without a
            person, ``pred_label`` is -1, and scores and focus are 0.

        Raises:
            ValueError: If the keypoints do not fit the network.
        """
        if not _is_list_of_clips(keypoints):
            result = self._recording(keypoints, keypoint_score, img_shape)
            _tell_left_out([result])
            return result
        scores = keypoint_score
        if scores is None:
            scores = [None] * len(keypoints)
        if not isinstance(scores, (list, tuple)) or len(scores) != len(keypoints):
            raise ValueError(
                f'a list of {len(keypoints)} keypoints needs a '
                f'list of {len(keypoints)} keypoint_score'
            )
        results = []
        for place, (clip, score) in enumerate(zip(keypoints, scores)):
            try:
                results.append(self._recording(clip, score, img_shape))
            except ValueError as error:
                raise ValueError(
                    f'clip {place} of the list of {len(keypoints)}: {error}'
                ) from error
        _tell_left_out(results)
        return results

    def _recording(
        self,
        keypoints: np.ndarray,
        score: Optional[np.ndarray],
        img_shape: Optional[Tuple[int, int]],
    ) -> Union[Dict, List[Dict]]:
        """Classify a clip, or each window of a recording."""
        if self.window is None:
            return self._classify(keypoints, score, img_shape)
        keypoints = _array(keypoints, 'keypoints', 4)
        score = _scores(score, keypoints)
        results = []
        for start, end in windows(keypoints.shape[1], self.window, self.stride):
            part = keypoints[:, start:end]
            own = None if score is None else score[:, start:end]
            if anyone_seen(dict(keypoint=part, keypoint_score=own)):
                result = self._classify(part, own, img_shape)
            else:
                result = self._nobody(part)
            results.append(dict(frames=(start, end), **result))
        return results

    def _nobody(self, keypoint: np.ndarray) -> Dict:
        """Return the result of a window without a person."""
        named = dict(class_name=None) if self.class_names else {}
        return dict(
            pred_label=-1,
            **named,
            pred_scores=np.zeros(num_classes_of(self.model), np.float32),
            focus=np.zeros(keypoint.shape[:3], np.float32),
            left_out=[],
        )

    def _classify(
        self,
        keypoints: np.ndarray,
        score: Optional[np.ndarray],
        img_shape: Optional[Tuple[int, int]],
    ) -> Dict:
        clip = dict(
            keypoint=_array(keypoints, 'keypoints', 4),
            label=-1,
            start_index=0,
            modality='Pose',
            stream=self.stream,
        )
        clip['total_frames'] = clip['keypoint'].shape[1]
        if score is not None:
            clip['keypoint_score'] = _scores(score, clip['keypoint'])
        if img_shape is not None:
            clip['img_shape'] = img_shape
        if not clip['keypoint'].any():
            raise ValueError('keypoints are only zeros: nobody is in the clip')
        if not anyone_seen(clip):
            raise ValueError(
                'no joint has a keypoint_score above 0: nobody is seen in the clip; '
                'correct the scores or leave them out'
            )
        prediction = predict(self.model, self.pipeline, clip)
        out = dict(pred_label=prediction.label)
        if self.class_names:
            out['class_name'] = self.class_names[prediction.label]
        out['pred_scores'] = prediction.scores.numpy()
        out['focus'] = prediction.focus.numpy()
        out['left_out'] = prediction.left_out
        return out


def windows(frames: int, window: int, stride: int) -> List[Tuple[int, int]]:
    """Return the windows of a recording, (start, end), excluding the end.

    The last one ends with the recording, so it may start less than a stride
    after the previous one. A recording that is shorter than a window is one
    window.

        >>> windows(10, 4, 3)
        [(0, 4), (3, 7), (6, 10)]
        >>> windows(11, 4, 3)
        [(0, 4), (3, 7), (6, 10), (7, 11)]
        >>> windows(3, 4, 3)
        [(0, 3)]

    Args:
        frames (int): T of the recording.
        window (int): Frames of a window.
        stride (int): Frames from one window to the next.
    """
    last = max(frames - window, 0)
    starts = [*range(0, last, stride), last]
    return [(start, min(start + window, frames)) for start in starts]


def _tell_left_out(results: Sequence[Union[Dict, List[Dict]]]) -> None:
    """Log in one line which persons are beyond the ``num_person`` of the network."""
    found = {}
    for place, result in enumerate(results):
        parts = result if isinstance(result, list) else [result]
        persons = sorted({person for part in parts for person in part['left_out']})
        if persons:
            found[place] = ', '.join(map(str, persons))
    if found:
        place, persons = next(iter(found.items()))
        which = f'{len(found)} of {len(results)} clips, the first is {place}' * (len(results) > 1)
        print_log(
            f'there are more persons than num_person of the network: persons {persons}'
            f'{f" ({which})" if which else ""} are left out',
            logger='current',
            level=logging.WARNING,
        )


def _is_list_of_clips(keypoints: Union[np.ndarray, Sequence]) -> bool:
    """Return whether this is a list of clips, and not one clip as nested lists of numbers."""
    if not isinstance(keypoints, (list, tuple)):
        return False
    if not all(isinstance(item, (list, tuple)) for item in keypoints):
        return True
    try:
        return np.array(keypoints).ndim not in (3, 4)
    except ValueError:  # of several lengths
        return True


def _scores(score: Optional[np.ndarray], keypoint: np.ndarray) -> Optional[np.ndarray]:
    """Return scores (M, T, V) that fit keypoints (M, T, V, C), if there are any."""
    if score is None:
        return None
    array = _array(score, 'keypoint_score', 3)
    if array.shape != keypoint.shape[:3]:
        raise ValueError(
            f'keypoint_score of shape {array.shape} for keypoints of shape {keypoint.shape}: give '
            'one for each joint'
        )
    return array


def _array(value: np.ndarray, name: str, dims: int) -> np.ndarray:
    """Return a copy with a person axis, which the pipeline may change."""
    array = np.array(value)
    if array.ndim == dims - 1:
        array = array[None]
    axes = '(persons,) frames, joints, 2 or 3' if dims == 4 else ('(persons,) frames, joints')
    if (
        array.dtype.kind not in 'fiu'
        or array.ndim != dims
        or 0 in (array.shape)
        or (dims == 4 and array.shape[3] not in (2, 3))
    ):
        raise ValueError(
            f'{name} of shape {array.shape} and type '
            f'{array.dtype} are not numbers of shape ({axes})'
        )
    if array.dtype.kind != 'f':
        array = array.astype(np.float32)
    if not usable(array):
        raise ValueError(
            f'{name} hold NaN or infinite (beyond 1e18) numbers: write 0 for joints that were not '
            'seen'
        )
    return array
