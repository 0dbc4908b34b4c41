"""Tests of the choice of a few clips."""

import pytest

from stf_mmaction.datasets.selection import clips_with_ids, spread_over_classes


def test_first_clip_of_each_class_then_the_second():
    labels = [2, 2, 0, 1, 0, 2]
    assert spread_over_classes(labels, 10) == [2, 3, 0, 4, 1, 5]
    assert spread_over_classes(labels, 2) == [2, 3]


def test_clips_are_found_by_id_in_the_order_asked_for():
    assert clips_with_ids(['a', 'b', 'a'], ['b', 'a', 'b']) == [1, 0, 1]
    with pytest.raises(ValueError, match="clip c is not in the split; its first clips are \\['a'"):
        clips_with_ids(['a', 'b'], ['a', 'c'])
