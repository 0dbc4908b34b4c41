"""The whole method: a warm-up, then two networks, then their mean."""
from typing import Dict, List, Optional, Sequence

import torch
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.config import Config
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor, nn

from stf_mmaction.focus import present_persons, resize_focus

from .stf_recognizer import STFRecognizer, build_preprocessor


@MODELS.register_module()
class STFEnsemble(BaseModel):
    """Networks trained side by side, whose probabilities are averaged.

    Exploration pulls the focus apart, the other STF losses pull it together,
    so that one member learns with each. While ``baseline`` (see
    :class:`STFPhaseHook`) the first member alone learns, as a plain MS-G3D.
    A baseline's checkpoint loads into every member.

    Args:
        members (Sequence[dict]): Configs of the members; each may have a
            ``name`` (default ``member0``, ...) and, with ``shared``, states
            only what differs from it.
        shared (dict, optional): What the members have in common.
            Defaults to None.
        data_preprocessor (dict, optional): Defaults to None, which is
            ``dict(type='ActionDataPreprocessor')``.
        init_cfg (dict, optional): Of MMEngine.

    Attributes:
        baseline (bool): Whether this is the warm-up. Defaults to False.

    Raises:
        ValueError: If there is no member, two have one name, or a member
            does not predict probabilities.
    """

    def __init__(self,
                 members: Sequence[Dict],
                 shared: Optional[Dict] = None,
                 data_preprocessor: Optional[Dict] = None,
                 init_cfg: Optional[Dict] = None) -> None:
        super().__init__(build_preprocessor(data_preprocessor), init_cfg)
        if not members:
            raise ValueError('STFEnsemble(members=[]) has no network: give '
                             'at least one member')
        built = {}
        for index, member in enumerate(members):
            cfg = Config(dict(shared or {}))
            cfg.merge_from_dict(dict(member))
            cfg = cfg.to_dict()
            name = cfg.pop('name', f'member{index}')
            if name in built:
                raise ValueError(f'two members of STFEnsemble are named '
                                 f'{name!r}: give each a name of its own')
            built[name] = MODELS.build(cfg)
            kind = built[name].cls_head.average_clips
            if kind != 'prob':
                raise ValueError(
                    f'member {name!r} has average_clips={kind!r}, but the '
                    "ensemble averages probabilities: use 'prob'")
        self.members = ModuleDict(built)
        self.baseline = False
        self._register_load_state_dict_pre_hook(self.spread_baseline)

    @property
    def first(self) -> STFRecognizer:
        """STFRecognizer: The member that learns during the warm-up."""
        return next(iter(self.members.values()))

    def set_baseline(self, baseline: bool) -> None:
        """Enter or leave the warm-up.

        Args:
            baseline (bool): See the attribute of the same name.
        """
        self.baseline = baseline
        for member in self.members.values():
            member.set_baseline(baseline)

    def unused_parameters(self) -> List[nn.Parameter]:
        """Parameters that the loss does not reach during the warm-up."""
        if not self.baseline:
            return []
        first, *rest = self.members.values()
        return first.unused_parameters() + [
            p for member in rest for p in member.parameters()
        ]

    @torch.no_grad()
    def spread_first(self) -> None:
        """Give every member the weights and buffers of the first."""
        state = self.first.state_dict()
        for member in self.members.values():
            if member is not self.first:
                member.load_state_dict(state)

    def forward(self,
                inputs: Tensor,
                data_samples: Optional[SampleList] = None,
                mode: str = 'tensor'):
        """As in ``BaseRecognizer``; ``tensor`` gives mean probabilities.

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
            scores = [
                member(inputs, mode='tensor', stage='head').softmax(1)
                for member in self._active().values()
            ]
            return torch.stack(scores).mean(0)
        raise RuntimeError(f'Invalid mode {mode!r}: use loss, predict or '
                           'tensor')

    def loss(self, inputs: Tensor,
             data_samples: SampleList) -> Dict[str, Tensor]:
        """Losses of all members, ``<name>.loss_cls`` and so on.

        During the warm-up they are the first member's, without its name.
        """
        if self.baseline:
            losses = self.first.loss(inputs, data_samples)
            # Keeps DDP content; :class:`STFPhaseHook` keeps the optimizer
            # from decaying them.
            losses['loss_cls'] = losses['loss_cls'] + sum(
                p.sum() * 0 for p in self.unused_parameters())
            return losses
        return {
            f'{name}.{key}': value
            for name, member in self.members.items()
            for key, value in member.loss(inputs, data_samples).items()
        }

    def predict(self, inputs: Tensor,
                data_samples: SampleList) -> SampleList:
        """Mean of the members' probabilities.

        Each sample also gets ``member_scores``, a dict of name to
        probabilities (K,).
        """
        scores = {}
        for name, member in self._active().items():
            samples = member.predict(inputs, data_samples)
            scores[name] = [s.pred_score for s in samples]
        for index, sample in enumerate(data_samples):
            own = {name: scores[name][index] for name in scores}
            mean = torch.stack(list(own.values())).mean(0)
            sample.set_field(own, 'member_scores')
            sample.set_pred_score(mean)
            sample.set_pred_label(mean.argmax(-1, keepdim=True))
        return data_samples

    @torch.no_grad()
    def focus(self,
              inputs: Tensor,
              classes: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """Where the members look, on average.

        Args:
            inputs (torch.Tensor): Shape (N, M, T, V, C).
            classes (torch.Tensor, optional): Class indices, shape (N, S).
                Defaults to None, the two likeliest of the ensemble.

        Returns:
            dict[str, torch.Tensor]: As :meth:`STFRecognizer.focus`.
        """
        members = list(self._active().values())
        features = [m.backbone(inputs) for m in members]
        scores = torch.stack([
            m.cls_head.scores(f).softmax(1)
            for m, f in zip(members, features)
        ]).mean(0)
        if classes is None:
            classes = scores.topk(2, 1).indices
        present = present_persons(inputs)
        maps = [
            m.cls_head.focus(f, present, classes)[0]
            for m, f in zip(members, features)
        ]
        mean = resize_focus(torch.stack(maps).mean(0), inputs.shape[2])
        return dict(
            scores=scores,
            classes=classes,
            focus=mean)

    def _active(self) -> Dict[str, STFRecognizer]:
        members = dict(self.members.items())
        return dict(list(members.items())[:1]) if self.baseline else members

    def spread_baseline(self, state_dict: Dict, prefix: str, *_) -> None:
        """Let the weights of one network load into all members.

        Args:
            state_dict (dict): Changed in place if it is of one network.
            prefix (str): Of the names in it.
        """
        if any(name.startswith(f'{prefix}members.') for name in state_dict):
            return
        for part in ('backbone.', 'cls_head.'):
            for name in list(state_dict):
                if name.startswith(prefix + part):
                    value = state_dict.pop(name)
                    tail = name[len(prefix):]
                    for member in self.members:
                        state_dict[f'{prefix}members.{member}.{tail}'] = value
