"""Choose a few clips of a data set: by id, or spread over the classes."""

from collections import Counter
from typing import List, Sequence, Tuple

import numpy as np


def ids_and_labels(dataset) -> List[Tuple[str, int]]:
    """Return the id and the class of every clip, without keeping their keypoints.

    Args:
        dataset (SkeletonDataset): The clips.
    """
    infos = (dataset.get_data_info(i) for i in range(len(dataset)))
    return [(str(info.get('frame_dir', i)), int(info['label'])) for i, info in enumerate(infos)]


def clips_with_ids(
    ids: Sequence[str], wanted: Sequence[str], where: str = 'the split'
) -> List[int]:
    """Return the indices of the wanted clips, the first of each id.

    Args:
        ids (Sequence[str]): The id of every clip.
        wanted (Sequence[str]): Ids.
        where (str): What the error calls the clips. Defaults to ``'the split'``.

    Raises:
        ValueError: If a wanted id is missing.
    """
    places = {name: i for i, name in reversed(list(enumerate(ids)))}
    for name in wanted:
        if name not in places:
            raise ValueError(f'clip {name} is not in {where}; its first clips are {list(ids[:3])}')
    return [places[name] for name in wanted]


def spread_over_classes(labels: Sequence[int], count: int) -> List[int]:
    """Return the indices of the first clip of each class, then of the second, and so on.

    Args:
        labels (Sequence[int]): The class of every clip.
        count (int): Largest number of clips.
    """
    seen, earlier = Counter(), []
    for label in labels:
        earlier.append(seen[label])
        seen[label] += 1
    return np.lexsort((labels, earlier))[:count].tolist()
