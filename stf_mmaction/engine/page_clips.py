"""Prepare the clips of an HTML page, with the results of its networks."""

from typing import Dict, List, NamedTuple, Sequence

import numpy as np
from torch import nn

from stf_mmaction.datasets.selection import clips_with_ids, ids_and_labels
from stf_mmaction.visualization.page import NetworkView, PageClip

from .inference import focus_of_classes


class Network(NamedTuple):
    """A trained network with the test clips that its own pipeline prepares.

    Attributes:
        name (str): Its name on the page.
        model (torch.nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        dataset (SkeletonDataset): The clips.
    """

    name: str
    model: nn.Module
    dataset: object


def page_clips(networks: Sequence[Network], indices: Sequence[int]) -> List[PageClip]:
    """Classify clips with every network, and compute its focus.

    The focus is computed for the two most probable classes, and for the label if it
    is neither.

    Args:
        networks (Sequence[Network]): They may read different streams.
        indices (Sequence[int]): Indices of clips in the first one's data set; the
            others find them by ``frame_dir``.

    Raises:
        ValueError: If the data set of a network lacks a clip, or labels it
            differently.
    """
    first, others = networks[0], networks[1:]
    infos = [first.dataset.get_data_info(index) for index in indices]
    wanted = [str(info.get('frame_dir', index)) for info, index in zip(infos, indices)]
    places = []
    for network in others:
        known = [name for name, _ in ids_and_labels(network.dataset)]
        places.append(clips_with_ids(known, wanted, f'the test split of {network.name}'))
    clips = []
    for name, info, *elsewhere in zip(wanted, infos, *places):
        label = int(info['label'])
        keypoint = np.array(info['keypoint'], dtype=np.float32)
        score = info.get('keypoint_score')
        if score is not None:  # joints that were not seen are not drawn
            keypoint[np.asarray(score) == 0] = 0
        views = [_view(first, info, label)]
        for network, place in zip(others, elsewhere):
            other = network.dataset.get_data_info(place)
            if int(other['label']) != label:
                raise ValueError(
                    f'clip {name} has label {label} for {first.name} and '
                    f'{other["label"]} for {network.name}: compare networks for the same classes'
                )
            views.append(_view(network, other, label))
        clips.append(PageClip(name, label, keypoint, views))
    return clips


def _view(network: Network, info: Dict, label: int) -> NetworkView:
    pipeline = network.dataset.pipeline
    copy = dict(info, keypoint=info['keypoint'].copy())  # the pipeline changes its input
    found = focus_of_classes(network.model, pipeline, copy)
    classes, focus = found.classes.tolist(), found.focus.numpy()
    if label not in classes and label < len(found.scores):
        classes = [*classes, label]
        focus = focus_of_classes(network.model, pipeline, info, classes).focus.numpy()
    return NetworkView(found.scores.numpy(), classes, focus)
