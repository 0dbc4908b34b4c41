"""Define controls and variants of the STF losses, for experiments.

A variant moves to the losses if it improves the results of a table.
"""

from typing import Dict, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from stf_mmaction.focus import frozen_running_stats, mask_inputs
from stf_mmaction.losses import STFAdjacencyLoss, STFCoherenceLoss, STFDivergenceLoss
from stf_mmaction.losses.functional import clip_norms
from stf_mmaction.losses.modules import WeightedLoss
from stf_mmaction.models import STFEnsemble, STFRecognizer


@MODELS.register_module()
class PermutedAdjacencyLoss(STFAdjacencyLoss):
    """Compare the embeddings with a target whose joints are permuted anew in each step.

    The control for L_G.
    """

    @staticmethod
    def formula(focus: Tensor, embeddings: Sequence[Tensor], present: Tensor) -> Tensor:
        """Compute the loss; arguments as in :func:`adjacency_loss`."""
        order = torch.randperm(focus.shape[-1], device=focus.device)
        return STFAdjacencyLoss.formula(focus[..., order], embeddings, present)


@MODELS.register_module()
class MaskedClassificationLoss(WeightedLoss):
    """Classify X - Q * X: cross entropy with y, in place of ``loss_exploration``.

    Where Eq. (3) makes the network unsure of the masked clip, this makes it
    find the class from what is left.

    Args:
        loss_weight (float): Defaults to 0.5.
    """

    def __init__(self, loss_weight: float = 0.5) -> None:
        super().__init__(loss_weight)

    @staticmethod
    def formula(masked_logits: Tensor, classes: Tensor) -> Tensor:
        """Compute the loss; arguments as in :func:`exploration_loss`."""
        return F.cross_entropy(masked_logits, classes)


@MODELS.register_module()
class MarginDivergenceLoss(STFDivergenceLoss):
    """Bound divergence by a margin: mean of max(0, margin - RMS(Q^1 - Q^2)).

    Args:
        margin (float): RMS from which the loss is zero. Defaults to 0.2.
        loss_weight (float): Defaults to 0.1.
    """

    def __init__(self, margin: float = 0.2, loss_weight: float = 0.1) -> None:
        super().__init__(loss_weight)
        self.margin = margin

    def formula(self, first: Tensor, second: Tensor) -> Tensor:
        """Compute the loss; arguments as in :func:`divergence_loss`."""
        return (self.margin - rms(first - second)).relu().mean()


@MODELS.register_module()
class MeanCoherenceLoss(STFCoherenceLoss):
    """Average coherence over joints and frames: mean of RMS(Q_5 - Q_6)."""

    @staticmethod
    def formula(lower: Tensor, last: Tensor) -> Tensor:
        """Compute the loss; arguments as in :func:`coherence_loss`."""
        return STFCoherenceLoss.formula(lower, last) / last[0].numel() ** 0.5


def rms(maps: Tensor) -> Tensor:
    """Return the root mean square of the map of each clip.

    Args:
        maps (torch.Tensor): Shape (N, M, T', V).

    Returns:
        torch.Tensor: Shape (N,).
    """
    return clip_norms(maps) / maps[0].numel() ** 0.5


def true_focus(network: STFRecognizer, clips: Tensor, data_samples: Sequence) -> Tensor:
    """Return the focus of a network in training on the true classes.

    Args:
        network (STFRecognizer): Its running statistics stay as they are.
        clips (torch.Tensor): Shape (N, M, T, V, C).
        data_samples (list[ActionDataSample]): N samples with gt_label.

    Returns:
        torch.Tensor: In [0, 1], shape (N, M, T, V).
    """
    labels = torch.stack([sample.gt_label for sample in data_samples])
    with frozen_running_stats(network):
        return network.focus(clips, labels)['focus'][:, 0]


@MODELS.register_module()
class FocusErasingRecognizer(STFRecognizer):
    """Hide joints of training clips, preferably those in focus, in place of exploration.

    The amount is that of ``RandomJointErasing``. With ``guided=0`` the choice is
    uniform, as there; this is the control.

    Args:
        guided (float): Joints are drawn without replacement with a
            probability in proportion to (mean focus on the true class) **
            guided. Defaults to 1.
        joints (float): Up to this share of the joints, at least one.
            Defaults to 0.5.
        frames (tuple[float, float]): The smallest and the largest share of
            consecutive frames. Defaults to (0.3, 1).
        p (float): Probability for each clip. Defaults to 0.5.
        args, kwargs: Arguments of :class:`STFRecognizer`.
    """

    def __init__(
        self,
        *args,
        guided: float = 1.0,
        joints: float = 0.5,
        frames: Tuple[float, float] = (0.3, 1.0),
        p: float = 0.5,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.guided, self.joints, self.frames, self.p = guided, joints, frames, p

    def loss(self, inputs: Tensor, data_samples: Sequence, **kwargs) -> Dict[str, Tensor]:
        """Compute the losses of the clips with some joints hidden.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples with gt_label.
            kwargs: As in :meth:`STFRecognizer.loss`.

        Returns:
            dict[str, torch.Tensor]: Scalars.
        """
        clips = inputs.flatten(0, 1)
        hidden = self.hidden(clips, data_samples)
        clips = clips.masked_fill(hidden[..., None], 0)
        return super().loss(clips.unflatten(0, inputs.shape[:2]), data_samples, **kwargs)

    @torch.no_grad()
    def hidden(self, clips: Tensor, data_samples: Sequence) -> Tensor:
        """Choose the joints and frames to hide.

        Args:
            clips (torch.Tensor): Shape (N, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples with gt_label.

        Returns:
            torch.Tensor: Boolean, shape (N, M, T, V).
        """
        count, persons, frames, joints = clips.shape[:4]
        # The largest sums of log-weights and Gumbel noise are a draw without replacement.
        draw = torch.rand(count, persons, joints).log().neg().log().neg()
        if self.guided:
            focus = true_focus(self, clips, data_samples).mean(2)
            draw += self.guided * (focus + 1e-3).log().cpu()
        most = max(1, int(self.joints * joints))
        number = torch.randint(1, most + 1, (count, persons, 1))
        erased = draw.argsort(-1, descending=True).argsort(-1) < number
        low, high = self.frames
        length = ((low + (high - low) * torch.rand(count, persons, 1)) * frames).round().clamp(1)
        start = (torch.rand(count, persons, 1) * (frames - length + 1)).floor()
        time = torch.arange(frames)
        during = (time >= start) & (time < start + length)
        chosen = torch.rand(count, 1, 1, 1) < self.p
        return (during[..., None] & erased[:, :, None] & chosen).to(clips.device)


@MODELS.register_module()
class FocusHidingEnsemble(STFEnsemble):
    """Two members; while they learn, hide from the second what the first one looks at.

    The second is to find the class in the rest of the clip, so that the mean depends less on
    any joint. The mask is that of Eq. (3), X - Q * X, with the focus of the first member on
    the true class. Takes the config of one :class:`STFRecognizer`.

    Args:
        backbone, cls_head (dict): Of each member.
        p (float): Probability for each clip; 0 trains two networks side by side. Defaults
            to 0.5.
        permuted (bool): Permute the joints of the masks anew in each step: the control.
            Defaults to False.
        kwargs: ``data_preprocessor`` and ``init_cfg`` of :class:`STFEnsemble`.
    """

    def __init__(
        self, backbone: Dict, cls_head: Dict, p: float = 0.5, permuted: bool = False, **kwargs
    ) -> None:
        shared = dict(type='STFRecognizer', backbone=backbone, cls_head=cls_head)
        super().__init__([dict(name='first'), dict(name='second')], shared, **kwargs)
        self.p, self.permuted = p, permuted
        self._rest: Optional[Tensor] = None

    def loss(self, inputs: Tensor, data_samples: Sequence) -> Dict[str, Tensor]:
        """Compute the losses of both members; arguments as in :meth:`STFEnsemble.loss`."""
        if self.p:
            rest = self.rest(inputs.flatten(0, 1), data_samples)
            self._rest = rest.unflatten(0, inputs.shape[:2])
        try:
            return super().loss(inputs, data_samples)
        finally:
            self._rest = None

    def stream_of(self, name: str, inputs: Tensor) -> Tensor:
        """Return what a member reads: while it learns, the second reads the rest."""
        return inputs if self._rest is None or name == 'first' else self._rest

    @torch.no_grad()
    def rest(self, clips: Tensor, data_samples: Sequence) -> Tensor:
        """Return the clips, some of them without the focus of the first member.

        Args:
            clips (torch.Tensor): Shape (N, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples with gt_label.

        Returns:
            torch.Tensor: Same shape.
        """
        focus = true_focus(self.lead, clips, data_samples)
        if self.permuted:
            focus = focus[..., torch.randperm(focus.shape[-1], device=focus.device)]
        hidden = torch.rand(len(focus), 1, 1, 1) < self.p
        return mask_inputs(clips, focus * hidden.to(focus.device))
