"""A uniform view of test data, however it is wrapped or stored."""

from typing import Any, Callable, Dict, List, Tuple

from mmengine.dataset import Compose
from torch.utils.data import Dataset

from stf_mmaction.upstream import inner_index


def locate_clip(dataset: Dataset, index: int) -> Tuple[Dataset, int]:
    """Return the data set inside wrappers that holds a clip, and its index there.

    Args:
        dataset (Dataset): May be a ``ConcatDataset``, ``RepeatDataset``,
            ``ClassBalancedDataset`` or ``Subset``.
        index (int): Of the clip.
    """
    if hasattr(dataset, 'datasets'):
        part, index = inner_index(dataset, index)
        return locate_clip(dataset.datasets[part], index)
    if not hasattr(dataset, 'dataset'):
        return dataset, index
    if hasattr(dataset, 'indices'):
        index = dataset.indices[index]
    else:
        index = inner_index(dataset, index)
    return locate_clip(dataset.dataset, index)


def unpacking_steps(pipeline: Compose) -> List[Callable]:
    """Return the steps at the start of a pipeline that convert detections to (M, T, V, C)."""
    kinds = [type(step).__name__ == 'DecompressPose' for step in pipeline.transforms]
    return pipeline.transforms[: kinds.index(False)] if False in kinds else pipeline.transforms


def clip_of(dataset: Dataset, index: int) -> Tuple[Dict, List[int]]:
    """Return a clip of a data set, however it is wrapped or stored, and its classes.

    Args:
        dataset (Dataset): See :func:`locate_clip`.
        index (int): Of the clip.

    Returns:
        tuple: The clip, with keypoints (M, T, V, C) and an id of text, and its
        classes, several if it has several labels.
    """
    part, place = locate_clip(dataset, index)
    clip = part.get_data_info(place)
    for step in unpacking_steps(part.pipeline):
        clip = step(clip)
    clip['frame_dir'] = str(clip.get('frame_dir', index))
    known = getattr(part, 'get_cat_ids', None)
    return clip, known(place) if known else [int(clip['label'])]


class ClipView:
    """The clips of wrapped data sets, or of detections stored frame by frame.

    MMAction2's 2D Kinetics holds (detections, V, 3), which ``DecompressPose``
    at the start of the pipeline converts to (M, T, V, 2). Here clips are
    unpacked, and the pipeline has the steps after it.

    Args:
        dataset (Dataset): See :func:`locate_clip`.

    Raises:
        ValueError: If its parts prepare their clips in different ways.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        places = (locate_clip(dataset, index) for index in range(len(dataset)))
        parts = {id(part): part for part, _ in places}
        pipelines = {repr(part.pipeline): part.pipeline for part in parts.values()}
        if len(pipelines) != 1:
            raise ValueError(
                f'the test data has {len(pipelines)} different pipelines: give all parts of a '
                'ConcatDataset the same'
            )
        (pipeline,) = pipelines.values()
        self.pipeline = Compose(pipeline.transforms[len(unpacking_steps(pipeline)) :])

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Dict:
        """Return the inputs of a network, as the data set itself does."""
        return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        # Not for names that __init__ sets, which pickle looks up before it is called.
        if name.startswith('_') or name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def get_data_info(self, index: int) -> Dict:
        """Return a clip with keypoints (M, T, V, C) and an id of text."""
        return clip_of(self.dataset, index)[0]


def view_clips(dataset: Dataset) -> Dataset:
    """Return a data set unchanged, or a :class:`ClipView` of it if needed."""
    pipeline = getattr(dataset, 'pipeline', None)
    kinds = [type(step).__name__ for step in getattr(pipeline, 'transforms', ())]
    is_plain = pipeline is not None and kinds[:1] != ['DecompressPose']
    return dataset if is_plain else ClipView(dataset)
