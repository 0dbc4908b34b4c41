"""A backbone that knows nothing of STF, nor of MMAction2's conventions."""

import torch
from mmaction.models.utils import Graph
from mmaction.registry import MODELS
from torch import nn

from helpers.networks import NO_MODULES, STAR


@MODELS.register_module()
class Project(nn.Module):
    """Built as MMAction2's CTR-GCN project: blocks in ``net``, residuals
    that are lambdas, ReLUs in place, ``in_channels`` not kept."""

    def __init__(self, graph_cfg, in_channels=3, num_person=2):
        super().__init__()
        self.graph = Graph(**graph_cfg)
        self.register_buffer('A', torch.tensor(self.graph.A).float().sum(0))
        self.num_person = num_person
        self.data_bn = nn.BatchNorm1d(num_person * in_channels * self.graph.num_node)
        self.net = nn.ModuleList(
            ProjectBlock(*sizes) for sizes in [(in_channels, 4, 1), (4, 4, 1), (4, 6, 2), (6, 6, 1)]
        )

    def forward(self, x):
        N, M, T, V, C = x.shape
        x = self.data_bn(x.permute(0, 1, 3, 4, 2).reshape(N, M * V * C, T))
        x = x.view(N * M, V, C, T).permute(0, 2, 3, 1).contiguous()
        for block in self.net:
            x = block(x, self.A)
        return x.reshape((N, M) + x.shape[1:])


class ProjectBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, (stride, 1))
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        same = in_channels == out_channels
        self.residual = (lambda x: x) if same else (lambda x: 0)

    def forward(self, x, A):
        return self.relu(self.bn(self.conv(x @ A)) + self.residual(x))


def model_of(backbone, head=NO_MODULES, channels=6, **cfg):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='STFRecognizer',
            backbone=backbone,
            cls_head=dict(type='STFHead', num_classes=4, in_channels=channels, **head),
            **cfg,
        )
    ).double()


PROJECT = dict(type='Project', graph_cfg=dict(layout=STAR, mode='spatial'))
