"""Small networks and batches for the tests."""

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

LOSSES = dict(
    loss_exploration=dict(type='STFExplorationLoss'),
    loss_divergence=dict(type='STFDivergenceLoss'),
    loss_coherence=dict(type='STFCoherenceLoss'),
    loss_adjacency=dict(type='STFAdjacencyLoss'),
)
FOCUS_LOSSES = {k: v for k, v in LOSSES.items() if k != 'loss_exploration'}
# For networks without STF modules.
NO_MODULES = {k: v for k, v in LOSSES.items() if k != 'loss_adjacency'}
EXPLORE_LOSSES = dict(loss_exploration=LOSSES['loss_exploration'])
# A small skeleton: five joints.
STAR = dict(num_node=5, inward=[(1, 0), (2, 1), (3, 0), (4, 0)], center=0)


def backbone(kind='STFGCN', **cfg):
    """Config of a small backbone."""
    out = dict(
        type=kind,
        graph_cfg=dict(layout=STAR),
        in_channels=4,
        base_channels=6,
        num_gcn_scales=4,
        num_g3d_scales=2,
        num_person=2,
    )
    out.update(cfg)
    return out


def recognizer_cfg(head=None, net=None, classes=4, **cfg):
    """Config of a small STFRecognizer."""
    return dict(
        type='STFRecognizer',
        backbone=net or backbone(),
        cls_head=dict(type='STFHead', num_classes=classes, in_channels=24, **(head or {})),
        **cfg,
    )


def recognizer(*args, **kwargs):
    """A small STFRecognizer whose STF modules do something."""
    model = MODELS.build(recognizer_cfg(*args, **kwargs))
    wake(model)
    return model


def wake(model):
    """Move weights that start at zero, so that what they feed matters."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.detach().abs().max() < 1e-3:
            with torch.no_grad():
                parameter.add_(
                    0.2 * torch.randn(parameter.shape, generator=generator).to(parameter)
                )


def calibrate(model, x):
    """Let running statistics be those of a batch, for evaluation mode."""
    norms = [m for m in model.modules() if hasattr(m, 'running_mean')]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(x, mode='tensor')
    for norm in norms:
        norm.momentum = 0.1
    return model


def ensemble_cfg(**shared):
    """Config of a small STFEnsemble."""
    return dict(
        type='STFEnsemble',
        shared=recognizer_cfg(**shared),
        members=[
            dict(name='focus', cls_head=FOCUS_LOSSES),
            dict(name='explore', cls_head=EXPLORE_LOSSES),
        ],
    )


def ensemble(**shared):
    """A small STFEnsemble whose STF modules do something."""
    model = MODELS.build(ensemble_cfg(**shared))
    wake(model)
    return model


def samples(labels):
    """Data samples with these labels."""
    return [ActionDataSample().set_gt_label(label) for label in labels]


def batch(clips=3, num_clips=1, persons=2, frames=7, joints=5, channels=4, dtype=torch.float32):
    """Random skeletons and samples; the last has one person only."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(clips, num_clips, persons, frames, joints, channels, generator=generator).to(
        dtype
    )
    if persons > 1:
        x[-1, :, 1] = 0
    return x, samples([i % 4 for i in range(clips)])


def total(losses):
    """What MMEngine would minimise."""
    return sum(v for k, v in losses.items() if 'loss' in k)
