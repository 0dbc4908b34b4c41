"""The matrix products against loops over the equation, in float64."""

import pytest
import torch
import torch.nn.functional as F
from stf_mmaction.models.layers.graph_conv import (aggregate_first,
                                                   graph_conv,
                                                   graph_conv_plain)
from stf_mmaction.models.layers.temporal import (dilated_convs,
                                                 dilated_convs_plain)

SHAPES = [  # clips, frames, stride, window, matrices
    (2, 5, 1, 1, 1), (2, 4, 1, 1, 2), (2, 6, 1, 3, 1), (2, 7, 2, 3, 1),
    (2, 6, 2, 5, 1), (1, 1, 1, 3, 1), (1, 1, 2, 5, 1), (2, 2, 2, 3, 2),
    (1, 9, 2, 5, 1), (2, 3, 2, 1, 1)
]  # yapf: disable


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def rand(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def make(clips, frames, stride, window, matrices, joints=3, scales=2, c=2,
         d=3):
    return (rand(clips, frames, joints, c), rand(scales, d, c),
            rand(matrices, joints * window, window * joints * scales))


def loop_graph_conv(x, weight, adjacency, stride, window):
    clips, frames, joints, channels = x.shape
    scales, out_channels, _ = weight.shape
    pad = (window - 1) // 2
    count = (frames - 1) // stride + 1
    out = torch.zeros(clips, count, joints * window, out_channels).to(x)
    for n in range(clips):
        matrix = adjacency[n % len(adjacency)]
        for t in range(count):
            for row in range(joints * window):
                for j in range(window):
                    f = stride * t + j - pad
                    if not 0 <= f < frames:
                        continue
                    for v in range(joints):
                        for k in range(scales):
                            col = (j * joints + v) * scales + k
                            out[n, t, row] += matrix[row, col] * (
                                weight[k] @ x[n, f, v])
    return out


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('operator',
                         [graph_conv, graph_conv_plain, aggregate_first])
def test_graph_conv_is_the_loop(operator, shape):
    x, weight, adjacency = make(*shape)
    args = shape[2:4]
    torch.testing.assert_close(
        operator(x, weight, adjacency, *args),
        loop_graph_conv(x, weight, adjacency, *args))


@pytest.mark.parametrize('shape', SHAPES)
def test_graph_conv_gradients(shape):
    inputs = make(*shape)

    def operator(*tensors):
        return graph_conv(*tensors, *shape[2:4])

    assert torch.autograd.gradcheck(operator, inputs)
    if shape[1] < 6:
        assert torch.autograd.gradgradcheck(operator, inputs)


def test_graph_conv_without_gradients_of_some():
    """Frozen weights or adjacency get no gradient, the others their own."""
    inputs = make(2, 5, 1, 3, 1)
    want = torch.autograd.grad(graph_conv(*inputs, 1, 3).sum(), inputs)
    for frozen in range(3):
        some = [t.detach() if i == frozen else t
                for i, t in enumerate(inputs)]
        rest = [t for i, t in enumerate(inputs) if i != frozen]
        got = torch.autograd.grad(graph_conv(*some, 1, 3).sum(), rest)
        for a, b in zip(got, [g for i, g in enumerate(want) if i != frozen]):
            torch.testing.assert_close(a, b)


CONVS = [(7, 1), (6, 2), (1, 1), (1, 2), (3, 2), (2, 1)]


@pytest.mark.parametrize('frames,stride', CONVS)
def test_dilated_convs_are_conv2d(frames, stride):
    x, weight = rand(2, frames, 3, 10), rand(4, 6, 2)
    out = dilated_convs(x, weight, stride)
    for i, dilation in enumerate((1, 2, 3, 4)):
        own = x[..., 2 * i:2 * i + 2].permute(0, 3, 1, 2)
        kernel = weight[i].view(3, 2, 2).permute(2, 1, 0).unsqueeze(-1)
        expected = F.conv2d(
            own, kernel, stride=(stride, 1), padding=(dilation, 0),
            dilation=(dilation, 1))
        torch.testing.assert_close(out[i], expected.permute(0, 2, 3, 1))
    torch.testing.assert_close(dilated_convs_plain(x, weight, stride), out)


@pytest.mark.parametrize('frames,stride', CONVS)
def test_dilated_convs_gradients(frames, stride):
    inputs = rand(2, frames, 2, 6), rand(4, 3, 1)

    def operator(x, weight):
        return dilated_convs(x, weight, stride)

    assert torch.autograd.gradcheck(operator, inputs)
    assert torch.autograd.gradgradcheck(operator, inputs)
