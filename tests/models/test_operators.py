"""The matrix products against loops over the equation, in float64."""

import copy
import sys

import pytest
import torch

from stf_mmaction.models.layers.norm import channels_last_norm
from stf_mmaction.models.ops import (
    batch_norm,
    branches,
    graph_conv,
    reference,
    use_kernels,
    window_conv,
    window_conv_folded,
)
from stf_mmaction.models.ops.batched import budget
from stf_mmaction.models.ops.clipwise import aggregate_first
from stf_mmaction.models.ops.clipwise.caches import cache_size
from stf_mmaction.models.ops.orders import cheapest_order

SHAPES = [  # clips, frames, stride, window, matrices
    (2, 5, 1, 1, 1), (2, 4, 1, 1, 2), (2, 6, 1, 3, 1), (2, 7, 2, 3, 1),
    (2, 6, 2, 5, 1), (1, 1, 1, 3, 1), (1, 1, 2, 5, 1), (2, 2, 2, 3, 2),
    (1, 9, 2, 5, 1), (2, 3, 2, 1, 1)
]  # yapf: disable


@pytest.fixture(autouse=True)
def _seed_and_device(device):
    torch.manual_seed(0)
    torch.backends.cudnn.deterministic = True
    torch.set_default_device(device)
    yield
    torch.set_default_device(None)


def rand(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def make(clips, frames, stride, window, matrices, joints=3, scales=2, c=2, d=3):
    return (
        rand(clips, frames, joints, c),
        rand(scales, d, c),
        rand(matrices, joints * window, window * joints * scales),
    )


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
                            out[n, t, row] += matrix[row, col] * (weight[k] @ x[n, f, v])
    return out


ORDERS = ['TransformFirst', 'AggregateFirst', 'FewChannels']
MODULES = [
    sys.modules[f'stf_mmaction.models.ops.{kernels}.graph_conv']
    for kernels in ('clipwise', 'batched')
]


@pytest.fixture(params=['clipwise', 'batched'])
def kernels(request, device, monkeypatch):
    """Both implementations, in small parts: two frames or one clip at a time."""
    if device.type == 'cuda' and request.param == 'clipwise':
        pytest.skip('for CPUs only')
    monkeypatch.setattr(aggregate_first, 'SCRATCH', 25)
    monkeypatch.setattr(budget, 'CHUNK_BYTES', 600)
    monkeypatch.setattr(budget, 'L2_BYTES', 2000)
    with use_kernels(request.param):
        yield request.param


@pytest.fixture(params=ORDERS)
def order(request, monkeypatch):
    """Each order of the two steps, for all shapes that it can do."""
    for module in MODULES:
        monkeypatch.setattr(module, 'cheapest_order', lambda *_: request.param)
    return request.param


def skip_unless(order, shape):
    if order == 'AggregateFirst' and shape[2:4] != (1, 1):
        pytest.skip('for windows of one frame')


@pytest.mark.parametrize('shape', SHAPES)
def test_graph_conv_is_the_loop(shape, order, kernels):
    skip_unless(order, shape)
    x, weight, adjacency = make(*shape)
    args = shape[2:4]
    expected = loop_graph_conv(x, weight, adjacency, *args)
    for operator in (graph_conv, reference.graph_conv):
        torch.testing.assert_close(operator(x, weight, adjacency, *args), expected)


@pytest.mark.parametrize('shape', SHAPES)
def test_graph_conv_gradients(shape, order, kernels):
    skip_unless(order, shape)
    inputs = make(*shape)

    def operator(*tensors):
        return graph_conv(*tensors, *shape[2:4])

    assert torch.autograd.gradcheck(operator, inputs, fast_mode=True)
    if shape[1] < 6:
        assert torch.autograd.gradgradcheck(operator, inputs, fast_mode=True)


@pytest.mark.parametrize('copies', [0, 2**30])
def test_a_matrix_per_clip_in_one_launch_or_in_many(copies, monkeypatch):
    module = sys.modules['stf_mmaction.models.ops.batched.aggregate_first']
    monkeypatch.setattr(module, 'COPY_BYTES', copies)
    inputs = make(2, 4, 1, 1, 2, c=4)
    with use_kernels('batched'):
        out = graph_conv(*inputs)
    torch.testing.assert_close(out, loop_graph_conv(*inputs, 1, 1))


@pytest.mark.parametrize(
    'channels,out_channels,stride,window,kind',
    [
        (96, 96, 1, 1, 'AggregateFirst'),
        (96, 96, 2, 3, 'TransformFirst'),
        (4, 96, 1, 1, 'FewChannels'),
        (4, 96, 1, 5, 'FewChannels'),
        (192, 192, 2, 5, 'TransformFirst'),
    ],
)
def test_the_cheapest_order(channels, out_channels, stride, window, kind):
    weight = torch.empty(6, out_channels, channels)
    assert cheapest_order(25, weight, stride, window) == kind


def test_graph_conv_without_gradients_of_some(kernels, order):
    """Frozen weights or adjacency get no gradient, the others their own."""
    shape = (2, 5, 1, 1, 1) if order == 'AggregateFirst' else (2, 5, 1, 3, 1)
    inputs = make(*shape)
    want = torch.autograd.grad(reference.graph_conv(*inputs, *shape[2:4]).sum(), inputs)
    for frozen in range(3):
        some = [t.detach() if i == frozen else t for i, t in enumerate(inputs)]
        rest = [t for i, t in enumerate(inputs) if i != frozen]
        got = torch.autograd.grad(graph_conv(*some, *shape[2:4]).sum(), rest)
        for a, b in zip(got, [g for i, g in enumerate(want) if i != frozen]):
            torch.testing.assert_close(a, b)


def window_inputs(shape):
    x, weight, adjacency = make(*shape, c=2, d=2)
    width = 2 * shape[3]
    return x, weight, adjacency, *(rand(*size) for size in ((2,), (2,), (2,), (3, width), (3,)))


@pytest.mark.parametrize('shape', SHAPES)
def test_window_conv_is_its_steps(shape, kernels):
    inputs = window_inputs(shape)
    args = (*shape[2:4], 1e-5)
    out, mean, variance = window_conv(*inputs, *args)
    expected = reference.window_conv(*inputs, *args)
    torch.testing.assert_close(out, expected)
    z = loop_graph_conv(*inputs[:3], *shape[2:4]) + inputs[3]
    stats = z.mean((0, 1, 2)), z.var((0, 1, 2), unbiased=False)
    torch.testing.assert_close((mean, variance), stats)
    direction = torch.randn_like(out)
    got = torch.autograd.grad(out, inputs, direction)
    want = torch.autograd.grad(expected, inputs, direction)
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('shape', SHAPES)
def test_window_conv_with_a_folded_norm(shape, kernels):
    x, weight, adjacency, bias, _, _, collapse, collapse_bias = window_inputs(shape)
    args = x, weight, adjacency, bias, collapse, collapse_bias, *shape[2:4]
    z = loop_graph_conv(x, weight, adjacency, *shape[2:4]) + bias
    z = z.relu().reshape(*z.shape[:2], x.shape[2], -1)
    expected = torch.nn.functional.linear(z, collapse, collapse_bias)
    torch.testing.assert_close(window_conv_folded(*args), expected)
    with torch.no_grad():
        torch.testing.assert_close(window_conv_folded(*args), expected)


def test_window_conv_gradients(kernels):
    shape = (2, 3, 2, 3, 1)
    inputs = window_inputs(shape)

    def operator(*tensors):
        return window_conv(*tensors, *shape[2:4], 1e-2)[0]

    assert torch.autograd.gradcheck(operator, inputs)
    assert torch.autograd.gradgradcheck(operator, inputs, fast_mode=True)


@pytest.mark.parametrize('kind', [torch.bfloat16, torch.float16])
def test_half_precision_sums_over_clips_in_float32(kind, kernels, device):
    """The gradients of many clips lose no more than those of one, but for a few odd inputs."""
    shape = (24, 6, 2, 3, 1)
    errors = []
    for _ in range(5):
        x, weight, adjacency, *rest = (t.detach().float() for t in window_inputs(shape))
        leaves = [t.requires_grad_() for t in (weight, adjacency, *rest)]
        with torch.autocast(device.type, kind):
            out = window_conv(x, *leaves, *shape[2:4], 1e-5)[0]
        assert out.dtype == kind
        direction = torch.randn_like(out)
        got = torch.autograd.grad(out, leaves, direction)
        exact = [t.detach().to(kind).double().requires_grad_() for t in leaves]
        truth = reference.window_conv(x.to(kind).double(), *exact, *shape[2:4], 1e-5)
        want = torch.autograd.grad(truth, exact, direction.double())
        assert {g.dtype for g in got[:2]} == {torch.float32}
        errors.append([((g - w).norm() / w.norm()).item() for g, w in zip(got[:2], want[:2])])
    assert torch.tensor(errors).median(0).values.max() < 1.5 * torch.finfo(kind).eps


def branch_inputs(frames, stride, width, joints=2):
    count = (frames - 1) // stride + 1
    return (
        rand(2, frames, joints, 5 * width),
        rand(2, count, joints, width),
        rand(4, 3 * width, width),
        rand(4, width),
    )


CONVS = [(7, 1), (6, 2), (1, 1), (1, 2), (3, 2), (2, 1)]


@pytest.mark.parametrize('frames,stride', CONVS)
def test_branches_are_convolutions_and_a_pool(frames, stride):
    """Against a loop over frames and taps."""
    h, point, weight, bias = inputs = branch_inputs(frames, stride, 2)
    expected = torch.empty(*point.shape[:3], 12).double()
    for t in range(point.shape[1]):
        for i, dilation in enumerate((1, 2, 3, 4)):
            own = bias[i]
            for tap in range(3):
                frame = t * stride + (tap - 1) * dilation
                if 0 <= frame < frames:
                    own = own + (
                        h[:, frame, :, 2 * i : 2 * i + 2] @ weight[i, 2 * tap : 2 * tap + 2]
                    )
            expected[:, t, :, 2 * i : 2 * i + 2] = own
        near = h[:, max(0, t * stride - 1) : t * stride + 2, :, 8:]
        expected[:, t, :, 8:10] = near.amax(1)
    expected[..., 10:] = point
    torch.testing.assert_close(branches(*inputs, stride), expected)
    torch.testing.assert_close(reference.branches(*inputs, stride), expected)


@pytest.mark.parametrize('frames,stride', CONVS)
def test_branches_gradients(frames, stride):
    inputs = branch_inputs(frames, stride, 1)

    def operator(*tensors):
        return branches(*tensors, stride)

    assert torch.autograd.gradcheck(operator, inputs)
    assert torch.autograd.gradgradcheck(operator, inputs, fast_mode=True)


def test_the_pool_gives_to_the_first_of_equal_frames():
    """As max_pool2d does, so that ties do not count twice."""
    h, point, weight, bias = branch_inputs(5, 1, 1)
    h = h.detach().round().requires_grad_()
    (got,) = torch.autograd.grad(branches(h, point, weight * 0, bias).sum(), h)
    (want,) = torch.autograd.grad(reference.branches(h, point, weight * 0, bias, 1).sum(), h)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize('relu', [False, True])
def test_batch_norm_gradients(relu, kernels):
    norm = torch.nn.BatchNorm2d(3).double()
    other = copy.deepcopy(norm)
    x, gamma, beta = rand(2, 2, 2, 3), rand(3), rand(3)

    def operator(x, gamma, beta):
        return batch_norm(x, gamma, beta, None, None, 0.1, 1e-2, relu)

    assert torch.autograd.gradcheck(operator, (x, gamma, beta))
    assert torch.autograd.gradgradcheck(operator, (x, gamma, beta), fast_mode=True)
    out = channels_last_norm(norm, x, relu)
    expected = other(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.testing.assert_close(out, expected.relu() if relu else expected)
    torch.testing.assert_close(norm.state_dict(), other.state_dict())


def test_sizes_follow_the_caches_of_the_cpu(tmp_path):
    for index, kind, level, size in (
        (0, 'Data', 1, '32K'),
        (1, 'Instruction', 1, '64K'),
        (2, 'Unified', 2, '512K'),
        (3, 'Unified', 3, '32M'),
    ):
        folder = tmp_path / f'index{index}'
        folder.mkdir()
        for name, text in (('type', kind), ('level', level), ('size', size)):
            (folder / name).write_text(f'{text}\n')
    assert cache_size(1, tmp_path) == 2**15
    assert cache_size(2, tmp_path) == 2**19
    assert cache_size(3, tmp_path) == 2**25
    assert cache_size(4, tmp_path) is None
    assert cache_size(2, tmp_path / 'nowhere') is None
