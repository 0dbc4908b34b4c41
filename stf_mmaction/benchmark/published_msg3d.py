"""Define MS-G3D as its authors formulated it: unfold, aggregate, permute, convolve.

This is the reference of ``tools/benchmark.py`` and of tests: a transcription of the
published formulation (Liu et al., CVPR 2020) with its parameter names, written for
reading.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def hop_matrices(edges, num_node, num_scales, window=1):
    """Compute the normalised k-hop matrices A_k, stacked along rows.

    Args:
        edges (Sequence[tuple[int, int]]): Bones.
        num_node (int): V.
        num_scales (int): K.
        window (int): Frames of a window, w. Defaults to 1.

    Returns:
        torch.Tensor: Shape (K w V, w V).
    """
    one = np.zeros((num_node, num_node))
    for a, b in edges:
        one[a, b] = one[b, a] = 1
    if window > 1:
        one = np.tile(one + np.eye(num_node), (window, window))
    eye = np.eye(len(one))
    scales = [eye]
    for k in range(1, num_scales):
        far, near = (np.minimum(np.linalg.matrix_power(one + eye, p), 1) for p in (k, k - 1))
        scales.append(far - near + eye)
    for k, matrix in enumerate(scales):
        root = np.diag(matrix.sum(0) ** -0.5)
        scales[k] = root @ matrix @ root
    return torch.tensor(np.concatenate(scales)).to(torch.get_default_dtype())


class MLP(nn.Module):
    """Apply a 1x1 convolution, batch norm and ReLU."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels)]
        )

    def forward(self, x):
        """Compute (N, C, T, V) -> (N, C', T, V)."""
        return F.relu(self.layers[1](self.layers[0](x)))


class Aggregation(nn.Module):
    """Aggregate K scales into a K times larger tensor, then convolve."""

    def __init__(self, in_channels, out_channels, edges, num_node, num_scales, window=1):
        super().__init__()
        self.num_scales = num_scales
        self.register_buffer(
            'A', hop_matrices(edges, num_node, num_scales, window), persistent=False
        )
        self.A_res = nn.Parameter(torch.zeros_like(self.A))
        self.mlp = MLP(in_channels * num_scales, out_channels)

    def forward(self, x):
        """Compute (N, C, T, V) -> (N, C', T, V)."""
        clips, channels, frames, joints = x.shape
        x = torch.einsum('vu,nctu->nctv', self.A + self.A_res, x)
        x = x.view(clips, channels, frames, self.num_scales, joints)
        x = x.permute(0, 3, 1, 2, 4).contiguous()
        return self.mlp(x.view(clips, -1, frames, joints))


class Branch(nn.Sequential):
    """Apply a convolution over time and its batch norm."""

    def __init__(self, in_channels, out_channels, kernel, stride=1, dilation=1):
        super().__init__()
        pad = (kernel + (kernel - 1) * (dilation - 1) - 1) // 2
        self.conv = nn.Conv2d(
            in_channels, out_channels, (kernel, 1), (stride, 1), (pad, 0), (dilation, 1)
        )
        self.bn = nn.BatchNorm2d(out_channels)


class TemporalUnit(nn.Module):
    """Convolve over time in six branches, each with its own 1x1 convolution, and a residual."""

    def __init__(self, in_channels, out_channels, stride=1, activate=True):
        super().__init__()
        width = out_channels // 6

        def entry(step=1):
            return [nn.Conv2d(in_channels, width, 1, (step, 1)), nn.BatchNorm2d(width)]

        self.branches = nn.ModuleList(
            [
                nn.Sequential(*entry(), nn.ReLU(), Branch(width, width, 3, stride, dilation))
                for dilation in (1, 2, 3, 4)
            ]
        )
        self.branches.append(
            nn.Sequential(
                *entry(),
                nn.ReLU(),
                nn.MaxPool2d((3, 1), (stride, 1), (1, 0)),
                nn.BatchNorm2d(width),
            )
        )
        self.branches.append(nn.Sequential(*entry(stride)))
        self.residual = nn.Identity()
        if in_channels != out_channels or stride != 1:
            self.residual = Branch(in_channels, out_channels, 1, stride)
        self.activate = activate

    def forward(self, x):
        """Compute (N, C, T, V) -> (N, C', T', V)."""
        out = torch.cat([branch(x) for branch in self.branches], 1)
        out = out + self.residual(x)
        return F.relu(out) if self.activate else out


class Window(nn.Module):
    """Unfold windows of frames, aggregate over them, collapse them."""

    def __init__(
        self, in_channels, mid_channels, out_channels, edges, num_node, num_scales, window, stride
    ):
        super().__init__()
        self.window, self.stride = window, stride
        aggregation = Aggregation(in_channels, mid_channels, edges, num_node, num_scales, window)
        self.gcn3d = nn.ModuleList([nn.Identity(), aggregation])
        self.out_conv = nn.Conv3d(mid_channels, out_channels, (1, window, 1))
        self.out_bn = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        """Compute (N, C, T, V) -> (N, C', T', V)."""
        clips, channels, _, joints = x.shape
        window = self.window
        x = F.unfold(x, (window, 1), 1, ((window - 1) // 2, 0), (self.stride, 1))
        x = x.view(clips, channels, window, -1, joints)
        x = x.permute(0, 1, 3, 2, 4).contiguous()
        x = F.relu(self.gcn3d[1](x.flatten(3)))
        x = x.view(clips, x.shape[1], -1, window, joints)
        return self.out_bn(self.out_conv(x).squeeze(3))


class Windows(nn.Module):
    """Add the G3D pathways, with windows of 3 and 5 frames."""

    def __init__(self, *args, stride):
        super().__init__()
        self.gcn3d = nn.ModuleList([Window(*args, window, stride) for window in (3, 5)])

    def forward(self, x):
        """Compute (N, C, T, V) -> (N, C', T', V)."""
        return self.gcn3d[0](x) + self.gcn3d[1](x)


class PublishedMSG3D(nn.Module):
    """Classify skeletons as the published network.

    Args:
        edges (Sequence[tuple[int, int]]): Bones.
        num_node (int): V.
        num_classes (int): K.
        in_channels (int): C. Defaults to 3.
        base_channels (int): Defaults to 96.
        num_gcn_scales (int): Defaults to 13.
        num_g3d_scales (int): Defaults to 6.
        num_person (int): M. Defaults to 2.
    """

    def __init__(
        self,
        edges,
        num_node,
        num_classes,
        in_channels=3,
        base_channels=96,
        num_gcn_scales=13,
        num_g3d_scales=6,
        num_person=2,
    ):
        super().__init__()
        self.data_bn = nn.BatchNorm1d(num_person * in_channels * num_node)
        before = in_channels
        for b in (1, 2, 3):
            width = base_channels * 2 ** (b - 1)
            inner = width if b == 1 else before
            stride = 1 if b == 1 else 2
            graph = (edges, num_node)
            setattr(
                self,
                f'gcn3d{b}',
                Windows(before, inner, width, *graph, num_g3d_scales, stride=stride),
            )
            setattr(
                self,
                f'sgcn{b}',
                nn.Sequential(
                    Aggregation(before, inner, *graph, num_gcn_scales),
                    TemporalUnit(inner, width, stride),
                    TemporalUnit(width, width, activate=False),
                ),
            )
            setattr(self, f'tcn{b}', TemporalUnit(width, width))
            before = width
        self.fc = nn.Linear(before, num_classes)

    def features(self, x):
        """Compute (N, M, T, V, C) -> (N, M, C', T', V)."""
        clips, persons, frames, joints, channels = x.shape
        x = x.permute(0, 1, 3, 4, 2).reshape(clips, -1, frames)
        x = self.data_bn(x)
        x = x.view(clips * persons, joints, channels, frames)
        x = x.permute(0, 2, 3, 1).contiguous()
        for b in (1, 2, 3):
            spatial = getattr(self, f'sgcn{b}')(x)
            x = F.relu(spatial + getattr(self, f'gcn3d{b}')(x))
            x = getattr(self, f'tcn{b}')(x)
        return x.view(clips, persons, *x.shape[1:])

    def forward(self, x):
        """Compute (N, M, T, V, C) -> scores (N, K)."""
        return self.fc(self.features(x).mean((1, 3, 4)))
