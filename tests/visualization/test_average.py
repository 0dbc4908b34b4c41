"""Classes on average, by hand."""

import numpy as np
import pytest
from helpers.networks import STAR
from helpers.pictures import clip

from stf_mmaction.datasets import get_layout
from stf_mmaction.visualization.average import MOMENTS, FocusAverage, draw_classes


def average_focus(name, clips):
    average = FocusAverage(name)
    for index, one in enumerate(clips):
        average.add(index, one)
    return average.finish(clips[average.typical])


def test_means_by_hand():
    short, long = clip(persons=2, frames=1), clip(frames=3)
    short.keypoint[1] = 0  # an absent person does not count
    short.focus[0, 0] = [1, 0, 0, 0, 0]
    long.focus[0] = 0
    long.focus[0, 2] = [0, 0, 0, 0, 0.9]
    one = average_focus('a', [short, long])
    np.testing.assert_allclose(one.joints, [0.5, 0, 0, 0, 0.15])
    assert one.count == 2 and one.moments.shape == (MOMENTS,)
    np.testing.assert_allclose(one.moments[[0, -1]], [0.1, 0.19])


def test_a_body_and_a_curve_per_class():
    classes = [average_focus(f'class {i}', [clip(seed=i)]) for i in range(6)]
    figure = draw_classes(classes, get_layout(STAR))
    figure.draw_without_rendering()
    assert len(figure.axes) == 2 * 6 + 1
    largest = max(one.joints.max() for one in classes)
    _, joints = figure.axes[0].collections
    np.testing.assert_allclose(joints.get_array(), np.sort(classes[0].joints) / largest)
    with pytest.raises(ValueError, match='no class to draw'):
        draw_classes([], get_layout(STAR))
