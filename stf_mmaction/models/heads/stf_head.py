"""A GCN head with losses that supervise the focus."""

from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from mmaction.models.heads import GCNHead
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from torch import Tensor

from stf_mmaction.focus import focus_map, last_gradient, last_weights, lower_weights, mean_of_places


class FocusContext(NamedTuple):
    """Inputs of an :class:`STFHead` in addition to the features.

    Attributes:
        present (torch.Tensor): Persons that take part, boolean, (N, M).
        lower (torch.Tensor, optional): Features of the module before the last,
            from which those of the last are computed, (N, M, C', T', V); for
            coherence.
        last (torch.Tensor, optional): Features of the last module, if they are
            not the input of the head; for coherence.
        embeddings (tuple[torch.Tensor]): beta(X^l) of the STF modules, each
            (N, M, T_l, V); for adjacency.
        masked_scores (Callable, optional): Maps a focus (N, M, T', V) to the
            scores (N, K) of the masked input; for exploration.
    """

    present: Tensor
    lower: Optional[Tensor] = None
    last: Optional[Tensor] = None
    embeddings: Tuple[Tensor, ...] = ()
    masked_scores: Optional[Callable[[Tensor], Tensor]] = None


def needs_stf_modules(backbone: str) -> ValueError:
    """Return the error of ``loss_adjacency`` without an STF module.

    Args:
        backbone (str): Name of the backbone that has none.
    """
    return ValueError(
        f'loss_adjacency needs STF modules, and {backbone} has none: use the backbone with STF '
        'modules (STFGCN for MSG3DBackbone, STFSTGCN, STFAAGCN, STFCTRGCN for the others) and '
        'stf_stages, or leave loss_adjacency out'
    )


@MODELS.register_module()
class STFHead(GCNHead):
    """``GCNHead`` with the four STF losses, Eq. (3) to (6).

    Without any of them it is a ``GCNHead``. The focus is computed without
    dropout, as in inference.

    Args:
        num_classes (int): K.
        in_channels (int): C of the features.
        loss_exploration (dict, optional): ``dict(type='STFExplorationLoss')``.
        loss_divergence (dict, optional): ``dict(type='STFDivergenceLoss')``.
        loss_coherence (dict, optional): ``dict(type='STFCoherenceLoss')``.
        loss_adjacency (dict, optional): ``dict(type='STFAdjacencyLoss')``.
        second_order (bool): Whether gradients also pass through a_c, as in the
            equations. False is cheaper. Defaults to True.
        kwargs: Arguments of ``GCNHead``: ``loss_cls``, ``dropout``, ``average_clips``,
            ``label_smooth_eps``, ``topk``, ``init_cfg``.

    Raises:
        ValueError: If an STF loss cannot be computed for these settings.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_exploration: Optional[Dict] = None,
        loss_divergence: Optional[Dict] = None,
        loss_coherence: Optional[Dict] = None,
        loss_adjacency: Optional[Dict] = None,
        second_order: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.second_order = second_order
        losses = dict(
            loss_exploration=loss_exploration,
            loss_divergence=loss_divergence,
            loss_coherence=loss_coherence,
            loss_adjacency=loss_adjacency,
        )
        self.stf_losses = tuple(losses)
        for name, cfg in losses.items():
            setattr(self, name, None if cfg is None else MODELS.build(cfg))
        if self.uses_focus and (num_classes < 2 or self.multi_class):
            raise ValueError(
                'STF losses compare two classes that exclude each other, which '
                f'num_classes={num_classes}, multi_class={self.multi_class} does not have: use '
                'at least 2 and multi_class=False'
            )

    @property
    def uses_focus(self) -> bool:
        """bool: Whether any STF loss is on."""
        return any(getattr(self, name) is not None for name in self.stf_losses)

    def focus(
        self, features: Tensor, present: Optional[Tensor] = None, classes: Optional[Tensor] = None
    ) -> Tuple[Tensor, Tensor]:
        """Compute the focus of the last module in closed form.

        Args:
            features (torch.Tensor): Input of the head, (N, M, C, T', V).
            present (torch.Tensor, optional): Boolean, shape (N, M).
            classes (torch.Tensor, optional): Class indices y, shape (N, S).
                Defaults to None, the two most probable.

        Returns:
            tuple[torch.Tensor]: Q (N, S, M, T', V) and the classes (N, S).
        """
        with torch.autocast(features.device.type, enabled=False):
            return self._focus(features, self.scores(features), present, classes)

    def _focus(
        self,
        features: Tensor,
        logits: Tensor,
        present: Optional[Tensor],
        classes: Optional[Tensor] = None,
    ) -> Tuple[Tensor, Tensor]:
        if classes is None:
            classes = logits.topk(2, 1).indices
        weights = last_weights(logits, self._fc_weight(), classes)
        return focus_map(features, self._maybe_detach(weights), present), classes

    def loss(
        self,
        feats: Tensor,
        data_samples: SampleList,
        context: Optional[FocusContext] = None,
        **kwargs,
    ) -> Dict[str, Tensor]:
        """Compute the classification and STF losses, each weighted.

        Args:
            feats (torch.Tensor): Shape (N, M, C, T', V).
            data_samples (list[ActionDataSample]): N samples with gt_label.
            context (FocusContext, optional): From ``STFRecognizer``.

        Returns:
            dict[str, torch.Tensor]: ``loss_cls``, the STF losses that are
            on, and the accuracies.

        Raises:
            ValueError: If the input of a loss is missing.
        """
        cls_scores = self(feats, **kwargs)
        losses = self.loss_by_feat(cls_scores, data_samples)
        if not self.uses_focus:
            return losses
        if context is None:
            raise ValueError(
                "the STF losses of STFHead require a recognizer of type='STFRecognizer', which "
                'computes their inputs'
            )
        with torch.autocast(feats.device.type, enabled=False):
            # Without dropout and autocast, cls_scores are these scores.
            known = self.dropout is None and cls_scores.dtype == self._fc_weight().dtype
            logits = cls_scores if known else self.scores(feats)
            losses.update(self._stf_losses(feats, logits, context))
        return losses

    def loss_by_feat(self, cls_scores: Tensor, data_samples: SampleList) -> Dict[str, Tensor]:
        """Compute the loss and the accuracies of scores (N, K) like ``BaseHead``.

        In float32 at least. With one label per clip the accuracies are computed where the scores
        are, so that nothing waits for a GPU.
        """
        scores = cls_scores.to(torch.promote_types(cls_scores.dtype, torch.float32))
        labels = torch.stack([s.gt_label for s in data_samples]).to(scores.device)
        if labels.shape[1:] != (1,) or labels.is_floating_point():
            return super().loss_by_feat(scores, data_samples)
        labels = labels[:, 0]
        most = min(max(self.topk), self.num_classes)
        hits = scores.detach().topk(most, 1).indices == labels[:, None]
        # Of integers: on CUDA, the cumulative sum of floating-point numbers is not deterministic.
        accuracies = hits.sum(0).cumsum(0).double() / len(labels)
        losses = {f'top{k}_acc': accuracies[min(k, most) - 1] for k in self.topk}
        target = labels
        if self.label_smooth_eps:
            target = F.one_hot(labels, self.num_classes) * (1 - self.label_smooth_eps)
            target = target + self.label_smooth_eps / self.num_classes
        loss_cls = self.loss_cls(scores, target)
        losses.update(loss_cls if isinstance(loss_cls, dict) else dict(loss_cls=loss_cls))
        return losses

    def _stf_losses(
        self, feats: Tensor, logits: Tensor, context: FocusContext
    ) -> Dict[str, Tensor]:
        focus, classes = self._focus(feats, logits, context.present)
        first, second = focus.unbind(1)
        losses = {}
        if self.loss_divergence is not None:
            losses['loss_divergence'] = self.loss_divergence(first, second)
        if self.loss_coherence is not None:
            lower, last = self.module_focus(feats, first, context, logits, classes[:, :1])
            losses['loss_coherence'] = self.loss_coherence(lower, last)
        if self.loss_adjacency is not None:
            if not context.embeddings:
                raise needs_stf_modules('this backbone')
            losses['loss_adjacency'] = self.loss_adjacency(
                first, context.embeddings, context.present
            )
        if self.loss_exploration is not None:
            losses['loss_exploration'] = self.loss_exploration(
                context.masked_scores(first), classes[:, 0]
            )
        return losses

    def module_focus(
        self, feats: Tensor, first: Tensor, context: FocusContext, logits: Tensor, classes: Tensor
    ) -> List[Tensor]:
        """Compute Q of the module before the last, and of the last.

        Args:
            feats (torch.Tensor): Input of the head, (N, M, C, T', V).
            first (torch.Tensor): Q of the most probable class, (N, M, T', V).
            context (FocusContext): With the features of the modules.
            logits (torch.Tensor): Shape (N, K).
            classes (torch.Tensor): The most probable class, shape (N, 1).

        Returns:
            list[torch.Tensor]: Two maps, (N, M, T'', V) and (N, M, T', V).

        Raises:
            ValueError: If the modules are not known.
        """
        if context.lower is None:
            raise ValueError(
                'loss_coherence compares two modules: name them in '
                "STFRecognizer(focus_layers=('gcn.8', 'gcn.9')), or use a backbone that names "
                'its own (STFGCN, STFSTGCN, STFAAGCN or STFCTRGCN)'
            )
        seed = last_gradient(logits, self._fc_weight(), classes)
        # Min-max cancels one factor for the whole batch. Scaled to at most 1, no number
        # underflows.
        largest = seed.detach().abs().amax().clamp_min(torch.finfo(seed.dtype).tiny)
        seed = seed / largest
        maps = []
        for module in (context.lower, context.last):
            if module is None:  # the head reads the last module itself
                maps.append(first)
                continue
            weights = lower_weights(
                module, feats, self._maybe_detach(seed)[:, 0], self.second_order
            )
            maps.append(focus_map(module, self._maybe_detach(weights), context.present)[:, 0])
        return maps

    def scores(self, feats: Tensor) -> Tensor:
        """Compute the scores without dropout in float32 at least, (N, K)."""
        weight = self._fc_weight()
        pooled = mean_of_places(feats).to(weight.dtype)
        return F.linear(pooled, weight, self.fc.bias.to(weight.dtype))

    def _fc_weight(self) -> Tensor:
        weight = self.fc.weight
        return weight.to(torch.promote_types(weight.dtype, torch.float32))

    def _maybe_detach(self, weights: Tensor) -> Tensor:
        return weights if self.second_order else weights.detach()
