"""Classes on average, against means by hand; which two are confused."""

import numpy as np
import pytest
import torch
from helpers import tiny
from mmaction.registry import DATASETS, MODELS

from stf_mmaction.datasets.selection import ids_and_labels
from stf_mmaction.engine.class_averages import average_classes, most_confused
from stf_mmaction.engine.inference import focus_of_classes


@pytest.fixture(scope='module')
def network(tmp_path_factory):
    path = tiny.write(tmp_path_factory.mktemp('data') / 'clips.pkl', tiny.clips())
    data = dict(type='SkeletonDataset', ann_file=str(path), pipeline=tiny.pipeline())
    torch.manual_seed(0)
    return MODELS.build(tiny.model_cfg('focus')).eval(), DATASETS.build(dict(data, test_mode=True))


def test_means_are_those_of_the_clips(network):
    model, dataset = network
    assert ids_and_labels(dataset) == [(f'clip{i}', i % 3) for i in range(8)]
    maps = {0: [], 1: [], 2: []}
    for index in range(8):
        info = dataset.get_data_info(index)
        label = info['label']
        maps[label].append(focus_of_classes(model, dataset.pipeline, info, [label]).focus[0])
    for labels in (None, [2, 0]):
        found = average_classes(model, dataset, tiny.NAMES, labels)
        assert [one.name for one in found] == [tiny.NAMES[label] for label in labels or range(3)]
        for one, label in zip(found, labels or range(3)):
            own = torch.stack(maps[label]).numpy()
            assert one.count == len(own)
            np.testing.assert_allclose(one.joints, own.mean((0, 1, 2)), atol=1e-6)
            typical = ((own.mean((1, 2)) - one.joints) ** 2).sum(1).argmin()
            clip = dataset.get_data_info(label + 3 * int(typical))
            np.testing.assert_array_equal(one.clip.keypoint, clip['keypoint'])


def test_the_confused_pair(network):
    model, dataset = network
    predicted = []
    for index in range(8):
        info = dataset.get_data_info(index)
        predicted.append(int(focus_of_classes(model, dataset.pipeline, info).classes[0]))
    counts = np.zeros((3, 3), int)
    np.add.at(counts, ([i % 3 for i in range(8)], predicted), 1)
    pair = most_confused(counts)
    found = average_classes(model, dataset, tiny.NAMES, confused=True)
    assert [one.name for one in found] == [tiny.NAMES[label] for label in pair]
    # Twice from 0 to 2 and twice back are more than three times from 1 to 2.
    assert most_confused(np.array([[9, 1, 2], [0, 9, 3], [2, 0, 9]])) == [0, 2]
    with pytest.raises(ValueError, match='every test clip is classified correctly'):
        most_confused(np.diag([3, 2]))
