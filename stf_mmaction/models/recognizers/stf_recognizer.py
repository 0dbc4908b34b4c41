"""A GCN recognizer with a supervised focus."""

from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from torch import Tensor, nn

from stf_mmaction.datasets.layouts import Layout, get_layout
from stf_mmaction.focus import frozen_running_stats, mask_inputs, present_persons, resize_focus

from ..backbones import Stages
from ..heads import FocusContext
from .checks import check_head, check_labels, check_tells_focus
from .focus_layers import choose_layers, watched_features
from .graphed_loss import GraphedLoss
from .idle import with_idle
from .inference_config import InferenceConfig
from .preprocessor import build_preprocessor
from .results import FocusSink, ModuleFocus, detached, top_classes
from .upstream_backbones import check_stock_input, translate_layout


@MODELS.register_module()
class STFRecognizer(InferenceConfig, RecognizerGCN):
    """``RecognizerGCN`` that computes the inputs of the STF losses of an ``STFHead``.

    Works with any backbone from (N, M, T, V, C) to (N, M, C, T', V). With a
    ``GCNHead`` it is the plain baseline.

    Args:
        backbone (dict): Config of the backbone; ``graph_cfg.layout`` may be
            any built-in one, for MMAction2's backbones, too.
        cls_head (dict): Config of the head.
        focus_layers (Sequence[str], optional): Names within the backbone of
            the lower and the last module, for coherence. Backbones of this
            package name their own. Defaults to None, the last two blocks of
            the last ``ModuleList`` in the backbone.
        frozen_backbone (bool): Whether to train the head alone, on fixed
            features. Defaults to False.
        data_preprocessor (dict, optional): Defaults to None, which is
            ``dict(type='ActionDataPreprocessor')``.
        kwargs: Other arguments of ``RecognizerGCN``.

    Attributes:
        baseline (bool): While True, the model is trained as the baseline: STF
            modules are off and the classification loss is the only one.
            Defaults to False.
        focus_sink (Callable, optional): Called by ``predict`` with the N
            samples, their two most probable classes (N, 2) and the focus for
            these, (N, num_clips, 2, M, T, V). Defaults to None.
        graphed (GraphedLoss, optional): Replays training steps; set by
            :class:`CUDAGraphHook`. Defaults to None.

    Raises:
        ValueError: If ``focus_layers`` does not name two modules.
    """

    def __init__(
        self,
        backbone: Dict,
        cls_head: Dict,
        focus_layers: Optional[Sequence[str]] = None,
        frozen_backbone: bool = False,
        data_preprocessor: Optional[Dict] = None,
        **kwargs,
    ) -> None:
        super().__init__(
            backbone=translate_layout(backbone),
            cls_head=cls_head,
            data_preprocessor=build_preprocessor(data_preprocessor),
            **kwargs,
        )
        self.baseline = False
        self.focus_sink: Optional[FocusSink] = None
        self.graphed: Optional[GraphedLoss] = None
        self._graph_cfg = backbone.get('graph_cfg') or {}
        self._own_stages = hasattr(self.backbone, 'forward_stages')
        self.focus_layers = choose_layers(self.backbone, self.cls_head, focus_layers)
        check_head(
            self.cls_head,
            self.backbone,
            compares_modules=bool(self._own_stages or self.focus_layers),
        )
        self.frozen_backbone = frozen_backbone
        if frozen_backbone:
            self.backbone.requires_grad_(False)
            if getattr(self.cls_head, 'uses_focus', False):
                raise ValueError(
                    'frozen_backbone=True leaves nothing for STF losses to train: remove them '
                    'from cls_head'
                )

    @property
    def lead(self) -> 'STFRecognizer':
        """STFRecognizer: Itself, since it is the only network."""
        return self

    @property
    def layout(self) -> Layout:
        """Layout: The skeleton of the backbone, or of its ``graph_cfg``."""
        if hasattr(self.backbone, 'layout'):
            return self.backbone.layout
        graph = getattr(self.backbone, 'graph', None)
        layout = self._graph_cfg.get('layout', getattr(graph, 'layout', None))
        if layout is None:
            raise ValueError(
                f'{type(self.backbone).__name__} does not name its skeleton: give it a '
                'graph_cfg with a layout'
            )
        return get_layout(layout)

    def check_input(self, shape: Sequence[int]) -> None:
        """Raise a ValueError if data of a shape does not fit the network.

        Args:
            shape (Sequence[int]): (clips, M, T, V, C).
        """
        if hasattr(self.backbone, 'check_input'):
            self.backbone.check_input(shape)
        else:
            check_stock_input(self.backbone, shape)

    def train(self, mode: bool = True) -> 'STFRecognizer':
        """Set the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen_backbone:
            self.backbone.eval()
        return self

    def set_baseline(self, baseline: bool) -> None:
        """Switch between the baseline and the whole STF network.

        Args:
            baseline (bool): See the attribute of the same name.
        """
        self.baseline = baseline
        if hasattr(self.backbone, 'stf_enabled'):
            self.backbone.stf_enabled = not baseline

    def unused_parameters(self) -> List[nn.Parameter]:
        """Return the parameters that the loss does not reach while ``baseline``."""
        if not self.baseline or not hasattr(self.backbone, 'stf_parameters'):
            return []
        return list(self.backbone.stf_parameters().values())

    def loss(self, inputs: Tensor, data_samples: SampleList, **kwargs) -> Dict[str, Tensor]:
        """Compute the losses of a batch.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples with gt_label.

        Returns:
            dict[str, torch.Tensor]: The losses of the head.

        Raises:
            ValueError: If a label is not a class, or the inputs do not fit the
                network.
        """
        check_labels(data_samples, self.cls_head.num_classes)
        self.check_input(inputs.flatten(0, 1).shape)
        if self.graphed is not None and self.training and torch.is_grad_enabled():
            return self.graphed(self, inputs, data_samples)
        return self.compute_losses(inputs, data_samples)

    def compute_losses(self, inputs: Tensor, data_samples: SampleList) -> Dict[str, Tensor]:
        """Compute :meth:`loss` of a checked batch.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples with gt_label.
        """
        clips = inputs.flatten(0, 1)
        samples = [s for s in data_samples for _ in range(inputs.shape[1])]
        head = self.cls_head
        if self.baseline or not getattr(head, 'uses_focus', False):
            losses = head.loss_by_feat(head(self.backbone(clips)), samples)
            losses['loss_cls'] = with_idle(losses['loss_cls'], self.unused_parameters())
            return losses
        feats, context = self._context(clips)
        return head.loss(feats, samples, context)

    def extract_feat(self, inputs: Tensor, *args, **kwargs) -> Tuple:
        """Extract features like ``RecognizerGCN``, of inputs (N, num_clips, M, T, V, C)."""
        self.check_input(inputs.flatten(0, 1).shape)
        return super().extract_feat(inputs, *args, **kwargs)

    def predict(self, inputs: Tensor, data_samples: SampleList, **kwargs) -> SampleList:
        """Predict as ``RecognizerGCN`` does; pass the focus to ``focus_sink``.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples.
        """
        feats, predict_kwargs = self.extract_feat(inputs, test_mode=True)
        samples = self.cls_head.predict(feats, data_samples, **predict_kwargs)
        if self.focus_sink is not None:
            classes = top_classes(samples)
            self.focus_sink(samples, classes, self.focus_of_features(feats, inputs, classes))
        return samples

    def focus_of_features(self, feats: Tensor, inputs: Tensor, classes: Tensor) -> Tensor:
        """Compute the focus from the features of a forward pass.

        Args:
            feats (torch.Tensor): Shape (N num_clips, M, C, T', V).
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            classes (torch.Tensor): Class indices, shape (N, S).

        Returns:
            torch.Tensor: In [0, 1], shape (N, num_clips, S, M, T, V).
        """
        count = inputs.shape[1]
        present = present_persons(inputs.flatten(0, 1))
        maps, _ = self.cls_head.focus(feats, present, classes.repeat_interleave(count, 0))
        return resize_focus(maps, inputs.shape[3]).unflatten(0, (-1, count))

    def _forward_stages(self, clips: Tensor) -> Stages:
        """Run the backbone for all features and embeddings, compiled if the backbone is."""
        run = self.backbone.forward_stages
        # A module that torch.compile returns compiles only its forward.
        compiled = getattr(self.backbone, 'dynamo_ctx', None)
        if compiled is None:
            return run(clips)
        if self.cls_head.loss_coherence is not None:
            raise ValueError(
                'loss_coherence differentiates the backbone twice, which torch.compile does not '
                'support: leave the backbone of this network uncompiled'
            )
        return compiled(run)(clips)

    def _context(self, clips: Tensor) -> Tuple[Tensor, FocusContext]:
        lower = last = None
        embeddings = ()
        if self._own_stages:
            stages = self._forward_stages(clips)
            feats, embeddings = stages.features[-1], stages.embeddings
            lower = stages.features[-2]
        else:
            feats, lower, last = watched_features(self.backbone, self.focus_layers, clips)

        # The head turns autocast off for the losses; the masked pass is one
        # of the network, as the first.
        device = clips.device.type
        autocast = torch.autocast(
            device,
            dtype=torch.get_autocast_dtype(device),
            enabled=torch.is_autocast_enabled(device),
        )

        def masked_scores(focus: Tensor) -> Tensor:
            with frozen_running_stats(self.backbone), autocast:
                masked = self.backbone(mask_inputs(clips, focus))
            return self.cls_head.scores(masked)

        return feats, FocusContext(present_persons(clips), lower, last, embeddings, masked_scores)

    def check_focus(self) -> None:
        """Raise a ValueError if the head cannot compute the focus."""
        check_tells_focus(self.cls_head)

    @torch.no_grad()
    def focus(self, inputs: Tensor, classes: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """Compute where the network looks, for each class.

        Args:
            inputs (torch.Tensor): Shape (N, M, T, V, C).
            classes (torch.Tensor, optional): Class indices, shape (N, S).
                Defaults to None, the two most probable.

        Returns:
            dict[str, torch.Tensor]: ``scores`` (N, K), probabilities;
            ``classes`` (N, S); ``focus`` (N, S, M, T, V) in [0, 1].
        """
        self.check_focus()
        self.check_input(inputs.shape)
        feats = self.backbone(inputs)
        maps, classes = self.cls_head.focus(feats, present_persons(inputs), classes)
        return dict(
            scores=self.cls_head.scores(feats).softmax(1),
            classes=classes,
            focus=resize_focus(maps, inputs.shape[2]),
        )

    @torch.enable_grad()
    def module_focus(self, inputs: Tensor) -> ModuleFocus:
        """Compute the maps that coherence and adjacency compare, for the most probable class.

        The focus of a lower module requires a vector-Jacobian product, so this costs about
        two forward passes.

        Args:
            inputs (torch.Tensor): Shape (N, M, T, V, C).

        Raises:
            ValueError: If the head cannot compute the focus.
        """
        self.check_focus()
        self.check_input(inputs.shape)
        feats, context = self._context(inputs)
        maps, classes = self.cls_head.focus(feats, context.present)
        first, second = maps.unbind(1)
        lower = last = None
        if context.lower is not None:
            logits = self.cls_head.scores(feats)
            lower, last = self.cls_head.module_focus(feats, first, context, logits, classes[:, :1])
        found = (context.present, classes, first, second, lower, last, context.embeddings)
        return ModuleFocus(*map(detached, found))
