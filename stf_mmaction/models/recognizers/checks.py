"""Checks of a recognizer: its labels, its head and its backbone."""

from mmaction.utils import SampleList
from torch import nn

from ..heads import STFHead
from ..heads.stf_head import needs_stf_modules
from .focus_layers import candidates


def check_labels(data_samples: SampleList, num_classes: int) -> None:
    """Raise a ValueError if a label is not a class.

    Labels on a GPU are not read back, since that would wait for all of its pending work;
    ``SkeletonCheckHook`` checks the labels of the data set before training.

    Args:
        data_samples (list[ActionDataSample]): With gt_label.
        num_classes (int): K.
    """
    for sample in data_samples:
        label = sample.gt_label
        if label.device.type != 'cpu' or label.numel() != 1 or label.is_floating_point():
            continue  # soft labels
        if not 0 <= int(label) < num_classes:
            clip = sample.metainfo.get('frame_dir', 'of the batch')
            raise ValueError(
                f'label {int(label)} of clip {clip} is not one of the {num_classes} classes 0 to '
                f'{num_classes - 1} of the head: set cls_head.num_classes to the number of classes'
            )


def check_head(head: nn.Module, backbone: nn.Module, compares_modules: bool) -> None:
    """Raise a ValueError if a head requires more than its backbone provides.

    Args:
        head (torch.nn.Module): A ``GCNHead``.
        backbone (torch.nn.Module): Any.
        compares_modules (bool): Whether the two modules for coherence are known.
    """
    kind = type(backbone).__name__
    width = getattr(backbone, 'out_channels', head.in_channels)
    if head.in_channels != width:
        raise ValueError(
            f'the head has in_channels={head.in_channels}, but {kind} returns {width} channels: '
            f'set cls_head.in_channels={width}'
        )
    if not isinstance(head, STFHead):
        return
    if head.loss_coherence is not None and not compares_modules:
        raise ValueError(
            f'loss_coherence compares two modules of the backbone, and {kind} does not name '
            f'them: add focus_layers=(lower, last), two of {candidates(backbone)}, or leave the '
            'loss out'
        )
    if head.loss_adjacency is not None and not getattr(backbone, 'num_stf_modules', 0):
        raise needs_stf_modules(f'the backbone {kind}')


def check_tells_focus(head: nn.Module) -> None:
    """Raise a ValueError if a head cannot compute the focus.

    Args:
        head (torch.nn.Module): A ``GCNHead``.
    """
    if not isinstance(head, STFHead):
        raise ValueError(
            f'{type(head).__name__} cannot compute the focus: use '
            "cls_head type='STFHead', its weights are the same"
        )
    if head.multi_class:
        raise ValueError(
            'a network with multi_class=True predicts several labels for a clip: the focus is '
            'defined for one label, with classes that exclude each other'
        )
    if head.num_classes < 2:
        raise ValueError(
            'a network with one class always predicts it with probability 1 and has no focus: '
            'use num_classes of 2 or more'
        )
