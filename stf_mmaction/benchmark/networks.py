"""Build the networks of the benchmark, their input, and the work to time."""

import argparse
from typing import Tuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from stf_mmaction.engine import config_file
from stf_mmaction.engine.flops import backbone_of
from stf_mmaction.models import MSG3DBackbone, STFRecognizer
from stf_mmaction.models.recognizers.graphed_loss import record_steps

from .published_msg3d import PublishedMSG3D

REFERENCE = 'published'
VARIANTS = ('cp', 'compile', 'bf16', 'focus', 'launched')


def read_config(file: str, args: argparse.Namespace) -> Config:
    """Return a config with the ``--cfg-options`` of the command line."""
    cfg = config_file.read_config(file)
    config_file.merge_options(cfg, args.cfg_options)
    return cfg


def build(name: str, args: argparse.Namespace) -> torch.nn.Module:
    """Build a network by the name of its config, or the reference.

    Args:
        name (str): A config file, optionally followed by ``+`` and one of
            ``VARIANTS``; or ``REFERENCE``.
        args (argparse.Namespace): Arguments of ``tools/benchmark.py``.

    Raises:
        ValueError: If the config has no :class:`STFRecognizer`, or is not
            MS-G3D although the reference or the variant requires it.
    """
    file, _, variant = name.partition('+')
    cfg = read_config(args.configs[0] if name == REFERENCE else file, args)
    init_default_scope('mmaction')
    if args.layout:
        backbone_of(cfg).graph_cfg = dict(layout=args.layout)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    members = [m for m in model.modules() if isinstance(m, STFRecognizer)]
    if not members:
        raise ValueError(
            f'{file} has a {type(model).__name__}: give its model the '
            "type='STFRecognizer', which computes the same"
        )
    if (name == REFERENCE or variant == 'cp') and not isinstance(
        members[0].backbone, MSG3DBackbone
    ):
        raise ValueError(
            f'{args.configs[0]} is not MS-G3D, which {name} requires: use --no-reference, '
            'without the variant cp'
        )
    for member in members:
        if variant == 'cp':
            member.backbone.with_cp = True
        if variant == 'compile':
            member.backbone = torch.compile(member.backbone)
    if name == REFERENCE:
        net, head = backbone_of(cfg), (cfg.model.get('shared') or cfg.model).cls_head
        layout = model.lead.backbone.layout
        model = PublishedMSG3D(
            layout.inward,
            layout.num_node,
            head.num_classes,
            net.in_channels,
            net.base_channels,
            net.num_gcn_scales,
            net.num_g3d_scales,
            net.num_person,
        )
    elif args.device != 'cpu' and variant != 'launched':
        record_steps(model)
    model.bf16 = variant == 'bf16'
    model.gives_focus = variant == 'focus'
    return model if args.device == 'cpu' else model.to(args.device)  # fake tensors cannot be moved


def input_shape(args: argparse.Namespace) -> Tuple[int, ...]:
    """Return the shape of the first config's input, (N, M, T, V, C)."""
    net = backbone_of(read_config(args.configs[0], args))
    return (
        args.batch,
        net.get('num_person', 2),
        args.frames,
        build(args.configs[0], args).lead.layout.num_node,
        net.get('in_channels', 3),
    )


def make_batch(args: argparse.Namespace):
    """Return random clips (N, 1, M, T, V, C) for the first config, and labels (N,)."""
    clips, *shape = input_shape(args)
    labels = torch.arange(clips) % 2
    return torch.randn(clips, 1, *shape).to(args.device), labels.to(args.device)


def step(model: torch.nn.Module, x, labels) -> None:
    """Compute the loss and its gradients, as in training.

    Args:
        model (torch.nn.Module): A network of :func:`build`.
        x (torch.Tensor): Clips, shape (N, 1, M, T, V, C).
        labels (torch.Tensor): Shape (N,).
    """
    model.train()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=model.bf16):
        if isinstance(model, PublishedMSG3D):
            loss = F.cross_entropy(model(x[:, 0]), labels)
        else:
            samples = [ActionDataSample(gt_label=y) for y in labels.split(1)]  # without a wait
            losses = model(x, samples, mode='loss')
            loss = sum(v for k, v in losses.items() if 'loss' in k)
    loss.backward()
    model.zero_grad()


def forward(model: torch.nn.Module, x, labels) -> None:
    """Compute the scores as in testing, with the focus for the variant ``focus``.

    Args:
        model (torch.nn.Module): A network of :func:`build`.
        x (torch.Tensor): Clips, shape (N, 1, M, T, V, C).
        labels (torch.Tensor): Not used; the arguments are those of :func:`step`.
    """
    model.eval()
    autocast = torch.autocast(x.device.type, torch.bfloat16, enabled=model.bf16)
    with torch.no_grad(), autocast:
        if isinstance(model, PublishedMSG3D):
            model(x[:, 0])
        elif model.gives_focus:
            model.focus(x[:, 0])
        elif hasattr(model, 'members'):
            model(x, mode='tensor')
        else:
            model(x, mode='tensor', stage='head')
