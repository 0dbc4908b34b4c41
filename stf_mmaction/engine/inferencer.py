"""From keypoints to a class and a focus, in the user's own code."""

from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose

from stf_mmaction.datasets.class_names import find_class_names, read_class_names
from stf_mmaction.datasets.numbers import anyone_seen, usable

from .inference import class_names_of, load_model, num_classes_of, predict


class STFInferencer:
    """Classifies skeletons and says where the network looks::

        inferencer = STFInferencer('config.py', 'epoch_55.pth')
        result = inferencer(keypoints)

    Args:
        config (str or Config): Of an ``STFRecognizer`` with an ``STFHead``
            or an ``STFEnsemble``. Its test pipeline prepares the keypoints.
        checkpoint (str, optional): File or URL. Defaults to None, which
            leaves the weights random.
        device (str): Defaults to ``'cpu'``.
        class_names (Sequence[str] or str, optional): Of all classes, or a
            text file with one per line. Defaults to None, those that the
            checkpoint or the config knows.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If they do not fit one another, or the config has no test
            pipeline.
    """

    def __init__(
        self,
        config: Union[str, Config],
        checkpoint: Optional[str] = None,
        device: str = 'cpu',
        class_names: Union[Sequence[str], str, None] = None,
    ) -> None:
        cfg, self.model = load_model(config, checkpoint, device)
        dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
        while 'dataset' in dataset:  # RepeatDataset and the like
            dataset = dataset['dataset']
        if 'pipeline' not in dataset:
            raise ValueError(
                'the config has no test_dataloader.dataset.'
                'pipeline, which would prepare the keypoints'
            )
        self.pipeline = Compose(dataset['pipeline'])
        # What the dataset tells its pipeline.
        self.stream = dataset.get('stream', 'j')
        self.class_names = self._names(class_names, dataset.get('metainfo'))

    def _names(self, given: Union[Sequence[str], str, None], meta: Optional[Dict]):
        """Names of the classes, or None where nobody knows them."""
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
                person. A list holds clips of any length.
            keypoint_score (numpy.ndarray or list, optional): Shape
                (M, T, V) or (T, V). Defaults to None.
            img_shape (tuple[int, int], optional): Height and width in pixels
                of the video, which MMAction2's 2D pipelines want.
                Defaults to None, what the pipeline assumes.

        Returns:
            dict or list[dict]: ``pred_label`` (int); ``class_name`` (str) if
            the names are known; ``pred_scores``, probabilities, shape (K,);
            ``focus`` in [0, 1] for that class, in the frames and persons
            given, shape (M, T, V).

        Raises:
            ValueError: If these are not the keypoints of the network.
        """
        if not isinstance(keypoints, (list, tuple)):
            return self._classify(keypoints, keypoint_score, img_shape)
        scores = keypoint_score
        if scores is None:
            scores = [None] * len(keypoints)
        if not isinstance(scores, (list, tuple)) or len(scores) != len(keypoints):
            raise ValueError(
                f'a list of {len(keypoints)} keypoints needs a '
                f'list of {len(keypoints)} keypoint_score'
            )
        return [self._classify(clip, score, img_shape) for clip, score in zip(keypoints, scores)]

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
            clip['keypoint_score'] = _array(score, 'keypoint_score', 3)
            if clip['keypoint_score'].shape != clip['keypoint'].shape[:3]:
                raise ValueError(
                    f'keypoint_score of shape {np.shape(score)} for '
                    f'keypoints of shape {np.shape(keypoints)}: one for each '
                    'joint is needed'
                )
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
        return out


def _array(value: np.ndarray, name: str, dims: int) -> np.ndarray:
    """A copy with a person axis, which the pipeline may change."""
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
            f'{name} hold NaN or infinite (beyond 1e18) numbers: write 0 for what was not seen'
        )
    return array
