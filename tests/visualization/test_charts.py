"""Charts of many lines and many classes can be read."""

import numpy as np

from stf_mmaction.visualization.charts import (
    LineChart,
    bar_chart,
    confusion_chart,
    embedding_chart,
    line_charts,
)

LONG = 'the same long beginning of a name, and then so on ' * 4


def test_lines_differ_without_colour():
    values = {f'{LONG} {i}': np.arange(40) for i in range(49)}
    figure = line_charts([LineChart(values, {name: np.arange(40) for name in values}, 'xy')])
    lines = figure.axes[0].get_lines()
    looks = {(str(line._dash_pattern), line.get_marker()) for line in lines}
    assert len(looks) == 18
    everything = {(line.get_color(), str(line._dash_pattern), line.get_marker()) for line in lines}
    assert len(lines) == len(everything) == 49
    assert len({line.get_markevery() for line in lines}) == 4  # 10 markers a line, in turn
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 150  # the legend leaves room


def test_names_of_many_classes_do_not_overlap():
    for count in (4, 20):
        figure = confusion_chart(np.eye(count, dtype=int), [f'{LONG} {i}' for i in range(count)])
        figure.draw_without_rendering()
        axes = figure.axes[0]
        boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
        assert all(below.y1 <= above.y0 for above, below in zip(boxes, boxes[1:]))
        assert boxes[0].x0 >= 0 and axes.get_window_extent().width > 0.4 * figure.bbox.width
    for count in (60, 600):  # too slow to draw
        figure = confusion_chart(np.eye(count, dtype=int), list(map(str, range(count))))
        labels, inches = figure.axes[0].get_yticklabels(), figure.get_size_inches()
        cell = (inches[1] - 4) / len(labels)
        assert len(labels) == min(count, 300) and 1.2 * labels[0].get_size() / 72 <= cell
        assert inches.max() * 150 < 8000


def test_bars_with_long_names_have_room():
    figure = bar_chart([LONG, 'b'], [0.5, -0.25], 'gain')
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 0.4 * figure.bbox.width


def test_many_groups_are_numbered_and_named_in_a_legend():
    for count, named in ((3, True), (20, False), (200, False)):
        labels = np.repeat(np.arange(count), 2)
        names = [f'class of {i}' for i in range(count)]
        figure = embedding_chart(
            np.random.default_rng(0).normal(size=(2 * count, 2)), labels, names
        )
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert texts == (names if named else list(map(str, range(count))))
        legend = [text.get_text() for own in figure.legends for text in own.get_texts()]
        assert legend == ([f'{i}  {names[i]}' for i in range(count)] if count == 20 else [])
