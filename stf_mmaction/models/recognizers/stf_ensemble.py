"""The whole method: a warm-up, then two networks, then their mean."""

from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor, nn

from stf_mmaction.focus import present_persons, resize_focus

from .backward_now import LossScale, backward_now
from .idle import with_idle
from .inference_config import InferenceConfig
from .members import build_members, spread_weights
from .preprocessor import build_preprocessor
from .results import FocusSink, top_classes
from .stf_recognizer import STFRecognizer


@MODELS.register_module()
class STFEnsemble(InferenceConfig, BaseModel):
    """Networks trained side by side, whose probabilities are averaged.

    Exploration and the other STF losses have opposite effects on the focus, so
    each trains a member of its own. During the warm-up (see
    :class:`STFPhaseHook`) only the first member is trained, as a plain MS-G3D.
    The checkpoint of a baseline loads into every member.

    With several ``streams``, each of them has all members. They read their
    part of the channels and start from a warm-up of their own, not from the
    checkpoint of a baseline, which has only one stream.

    Args:
        members (Sequence[dict]): Configs of the members; each may have a
            ``name`` (default ``member0``, ...) and, with ``shared``, contains
            only what differs from it.
        shared (dict, optional): Settings that the members have in common.
            Defaults to None.
        streams (Sequence[str], optional): Names of the streams that the input
            holds side by side along its channels, as the ``stream`` of
            :class:`SkeletonDataset`. Defaults to None, a single one without a
            name.
        data_preprocessor (dict, optional): Defaults to None, which is
            ``dict(type='ActionDataPreprocessor')``.
        init_cfg (dict, optional): As in MMEngine.

    Attributes:
        baseline (bool): Whether this is the warm-up. Defaults to False.
        focus_sink (Callable, optional): As in :class:`STFRecognizer`; the
            focus is the mean of the members. Defaults to None.

    Raises:
        ValueError: If there is no member, two have one name, or a member
            does not predict probabilities.
    """

    def __init__(
        self,
        members: Sequence[Dict],
        shared: Optional[Dict] = None,
        streams: Optional[Sequence[str]] = None,
        data_preprocessor: Optional[Dict] = None,
        init_cfg: Optional[Dict] = None,
    ) -> None:
        super().__init__(build_preprocessor(data_preprocessor), init_cfg)
        if not members:
            raise ValueError('STFEnsemble(members=[]) has no network: give at least one member')
        self.streams = tuple(streams or ('',))
        built, self._part = build_members(members, shared, self.streams)
        self.members = ModuleDict(built)
        self.loss_scales = {name: LossScale() for name in built}
        self.baseline = False
        self.focus_sink: Optional[FocusSink] = None
        self._register_load_state_dict_pre_hook(self.spread_baseline)

    @property
    def lead(self) -> STFRecognizer:
        """STFRecognizer: A member that is trained during the warm-up."""
        return next(iter(self.members.values()))

    @property
    def leads(self) -> Dict[str, STFRecognizer]:
        """dict[str, STFRecognizer]: The first member of each stream; trained in the warm-up."""
        leads = {}
        for name, member in self.members.items():
            leads.setdefault(self._part[name], (name, member))
        return dict(leads.values())

    def check_input(self, shape: Sequence[int]) -> None:
        """Check an input as the members do, for all streams together.

        Args:
            shape (Sequence[int]): (clips, M, T, V, C).
        """
        channels, left = divmod(shape[-1], len(self.streams))
        if left:
            raise ValueError(
                f'input of {shape[-1]} channels does not hold the streams '
                f'{self.streams}: set stream={self.streams} in the data sets'
            )
        self.lead.check_input((*shape[:-1], channels))

    def stream_of(self, name: str, inputs: Tensor) -> Tensor:
        """Return the stream that a member reads, of inputs (..., C)."""
        return inputs.chunk(len(self.streams), -1)[self._part[name]]

    def spread_baseline(self, state_dict: Dict, prefix: str, *_) -> None:
        """Let the weights of one network load into all members; see :func:`spread_weights`."""
        spread_weights(state_dict, prefix, list(self.members), self.streams)

    def set_baseline(self, baseline: bool) -> None:
        """Enter or leave the warm-up.

        Args:
            baseline (bool): See the attribute of the same name.
        """
        self.baseline = baseline
        for member in self.members.values():
            member.set_baseline(baseline)

    def unused_parameters(self) -> List[nn.Parameter]:
        """Return the parameters that the loss does not reach during the warm-up."""
        if not self.baseline:
            return []
        leads = self.leads
        return [
            p
            for name, member in self.members.items()
            for p in (member.unused_parameters() if name in leads else member.parameters())
        ]

    @torch.no_grad()
    def spread_leads(self) -> None:
        """Copy the first member of each stream to the others."""
        for name, member in self.members.items():
            (lead,) = (
                lead for own, lead in self.leads.items() if self._part[own] == self._part[name]
            )
            if member is lead:
                continue
            source = lead.state_dict()
            for own, value in member.state_dict().items():
                value.copy_(source[own])

    def forward(
        self, inputs: Tensor, data_samples: Optional[SampleList] = None, mode: str = 'tensor'
    ):
        """Run like ``BaseRecognizer``; mode ``tensor`` returns mean probabilities.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample], optional): N samples.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.member_logits(inputs).softmax(2).mean(1)
        raise RuntimeError(f'Invalid mode {mode!r}: use loss, predict or tensor')

    def member_logits(self, inputs: Tensor) -> Tensor:
        """Compute the scores of each member before the softmax.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).

        Returns:
            torch.Tensor: Shape (N, members, K).
        """
        scores = [
            member(self.stream_of(name, inputs), mode='tensor', stage='head')
            for name, member in self._active().items()
        ]
        return torch.stack(scores, 1)

    def extract_feat(self, inputs: Tensor, *args, **kwargs) -> Tuple[Dict[str, Tensor], Dict]:
        """Extract the features of each member, as ``RecognizerGCN.extract_feat`` does.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            args, kwargs: Arguments of the members' ``extract_feat``, such as
                ``stage='head'`` for the scores.

        Returns:
            tuple: A dict of the features (N num_clips, M, C', T', V), or of
            the scores, by the name of the member; and an empty dict.
        """
        found = {
            name: member.extract_feat(self.stream_of(name, inputs), *args, **kwargs)[0]
            for name, member in self._active().items()
        }
        return found, {}

    def loss(self, inputs: Tensor, data_samples: SampleList) -> Dict[str, Tensor]:
        """Compute the losses of all members, ``<name>.loss_cls`` and so on.

        During the warm-up these are the losses of the first member of each
        stream; with one stream, their keys have no name. Members take turns, so a
        step needs the memory of one; see :func:`backward_now`.

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples with gt_label.
        """
        losses = {}
        active = self._active()
        for name, member in active.items():
            own = member.loss(self.stream_of(name, inputs), data_samples)
            if len(active) > 1 and torch.is_grad_enabled():
                learning = [p for p in member.parameters() if p.requires_grad]
                own = backward_now(own, learning, self.loss_scales[name])
            losses.update({f'{name}.{k}': value for k, value in own.items()})
        if self.baseline:
            if len(self.streams) == 1:
                losses = {k.split('.', 1)[1]: v for k, v in losses.items()}
            # Of the members that wait, as in STFRecognizer.loss.
            waiting = [m for name, m in self.members.items() if name not in self.leads]
            key = next(k for k in losses if k.endswith('loss_cls'))
            losses[key] = with_idle(losses[key], [p for m in waiting for p in m.parameters()])
        return losses

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Average the members' probabilities.

        Each sample also gets ``member_scores``, a dict from the name of a
        member to its probabilities (K,).

        Args:
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples.
        """
        scores, kept = {}, {}
        active = self._active()
        for name, member in active.items():
            feats, kwargs = member.extract_feat(self.stream_of(name, inputs), test_mode=True)
            samples = member.cls_head.predict(feats, data_samples, **kwargs)
            scores[name] = [s.pred_score for s in samples]
            if self.focus_sink is not None:
                kept[name] = feats
        for index, sample in enumerate(data_samples):
            own = {name: scores[name][index] for name in scores}
            mean = torch.stack(list(own.values())).mean(0)
            sample.set_field(own, 'member_scores')
            sample.set_pred_score(mean)
            sample.set_pred_label(mean.argmax(-1, keepdim=True))
        if self.focus_sink is not None:
            classes = top_classes(data_samples)
            maps = [
                member.focus_of_features(kept[name], self.stream_of(name, inputs), classes)
                for name, member in active.items()
            ]
            self.focus_sink(data_samples, classes, torch.stack(maps).mean(0))
        return data_samples

    def check_focus(self) -> None:
        """Raise a ValueError if a member cannot compute the focus."""
        for member in self.members.values():
            member.check_focus()

    @torch.no_grad()
    def focus(self, inputs: Tensor, classes: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """Compute the mean focus of the members.

        Args:
            inputs (torch.Tensor): Shape (N, M, T, V, C).
            classes (torch.Tensor, optional): Class indices, shape (N, S).
                Defaults to None, the two most probable of the ensemble.

        Returns:
            dict[str, torch.Tensor]: As returned by :meth:`STFRecognizer.focus`.
        """
        self.check_focus()
        members = self._active()
        self.check_input(inputs.shape)
        own = [self.stream_of(name, inputs) for name in members]
        features = [m.backbone(x) for m, x in zip(members.values(), own)]
        heads = [m.cls_head for m in members.values()]
        scores = torch.stack([head.scores(f).softmax(1) for head, f in zip(heads, features)]).mean(
            0
        )
        if classes is None:
            classes = scores.topk(2, 1).indices
        maps = [
            head.focus(f, present_persons(x), classes)[0]
            for head, f, x in zip(heads, features, own)
        ]
        mean = resize_focus(torch.stack(maps).mean(0), inputs.shape[2])
        return dict(scores=scores, classes=classes, focus=mean)

    def _active(self) -> Dict[str, STFRecognizer]:
        return self.leads if self.baseline else dict(self.members.items())
