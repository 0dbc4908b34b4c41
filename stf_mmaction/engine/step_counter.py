"""Count the cost of a training step on a GPU, without having one.

A step runs on fake tensors: every operator is dispatched, but none computes. The counter
records calls that launch kernels, the bytes that they touch, their FLOPs and the peak of live
memory.
"""

import weakref
from typing import Callable, Dict, List, NamedTuple, Tuple
from unittest import mock

import torch
import torch.nn.functional as F
from mmaction.models.heads.base import BaseHead
from mmaction.structures import ActionDataSample
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from stf_mmaction.models.ops import use_kernels

# Operators that only describe memory, and launch nothing.
VIEWS = frozenset(
    'view permute expand slice select detach transpose t unsqueeze squeeze as_strided alias '
    '_unsafe_view unbind split split_with_sizes unfold _reshape_alias lift_fresh diagonal empty '
    'empty_like new_empty empty_strided new_empty_strided promote_types'.split()
)
WRITTEN = ('out', 'grad_input', 'save_mean', 'save_invstd')  # arguments that are results
LAUNCH_SECONDS = 6e-6  # seconds of the host per call, without CUDA graphs


class GPU(NamedTuple):
    """Peaks of a GPU from its data sheet, dense, per second.

    Attributes:
        fp32 (float): FLOP on ordinary cores.
        tf32 (float): FLOP in float32 on tensor cores, which PyTorch uses if allowed.
        half (float): FLOP in bfloat16 or float16 on tensor cores.
        bandwidth (float): Bytes from and to memory.
    """

    fp32: float
    tf32: float
    half: float
    bandwidth: float


GPUS = dict(
    v100=GPU(15.7e12, 15.7e12, 125e12, 0.9e12),
    a100=GPU(19.5e12, 156e12, 312e12, 1.55e12),
    h100=GPU(67e12, 495e12, 989e12, 3.35e12),
)


class Call(NamedTuple):
    """One call of an operator: its name, FLOPs (two per multiply-add), bytes and precision."""

    name: str
    flops: int
    bytes: int
    half: bool


class Cost(NamedTuple):
    """The cost of a training step without its optimizer.

    Attributes:
        calls (list[Call]): Calls that launch kernels, one to three each.
        peak_bytes (int): Peak of live memory, including the network.
    """

    calls: List[Call]
    peak_bytes: int

    @property
    def launches(self) -> int:
        """Return the number of calls that launch kernels."""
        return len(self.calls)

    @property
    def bytes(self) -> int:
        """Return the bytes that all calls read and write."""
        return sum(call.bytes for call in self.calls)

    @property
    def flops(self) -> int:
        """Return the FLOPs of matrix products and convolutions, two per multiply-add."""
        return sum(call.flops for call in self.calls)

    def seconds(self, gpu: GPU, tf32: bool) -> Tuple[float, float]:
        """Return the times of a model, for the GPU and for the host that launches.

        Each call takes as long as its FLOPs or its bytes at the peak, whichever is longer; a step
        takes at least the longer of the two results.

        Args:
            gpu (GPU): See :data:`GPUS`.
            tf32 (bool): Whether matrix products may use TF32; convolutions may by default.
        """

        def rate(call: Call) -> float:
            if call.half:
                return gpu.half
            return gpu.tf32 if tf32 or 'conv' in call.name else gpu.fp32

        busy = sum(max(c.flops / rate(c), c.bytes / gpu.bandwidth) for c in self.calls)
        return busy, LAUNCH_SECONDS * self.launches


def touched_bytes(t: Tensor) -> int:
    """Return the bytes of distinct elements of any shape; an expanded dimension counts once."""
    size = t.element_size()
    for length, stride in zip(t.shape, t.stride()):
        size *= length if stride or not length else 1
    return min(size, t.untyped_storage().nbytes())


class Counter(TorchDispatchMode):
    """Record the calls and the memory of code that runs within it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: List[Call] = []
        self.peak_bytes = self._live = 0
        self._seen = weakref.WeakKeyDictionary()

    def watch(self, tensors: List[Tensor]) -> None:
        """Count the memory of tensors, of any shape, until it is freed."""
        for storage in (t.untyped_storage() for t in tensors):
            if storage not in self._seen:
                self._seen[storage] = True
                self._live += storage.nbytes()
                weakref.finalize(storage, self._free, storage.nbytes())
        self.peak_bytes = max(self.peak_bytes, self._live)

    def _free(self, size: int) -> None:
        self._live -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operator and record it."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        results = _tensors(out)
        self.watch(results)
        name = func.overloadpacket.__name__
        if func.namespace == 'aten' and name not in VIEWS:
            written = {id(t) for key in WRITTEN for t in _tensors(kwargs.get(key))}
            read = [t for t in _tensors((args, kwargs)) if id(t) not in written]
            half = any(t.dtype in (torch.bfloat16, torch.float16) for t in read)
            size = sum(map(touched_bytes, read + results))
            self.calls.append(Call(name, _flops(func, name, args, kwargs, out), size, half))
        return out


def _tensors(tree) -> List[Tensor]:
    return [t for t in tree_leaves(tree) if isinstance(t, Tensor)]


def _flops(func, name: str, args: Tuple, kwargs: Dict, out) -> int:
    packet = func.overloadpacket
    if packet in flop_registry:
        return flop_registry[packet](*args, **kwargs, out_val=out)
    if name in ('addmm_', 'baddbmm_'):
        return 2 * args[1].numel() * args[2].shape[-1]
    return 0


def _cross_entropy(_, scores: Tensor, samples: List[ActionDataSample]) -> Dict[str, Tensor]:
    """Compute the classification loss without accuracies, which require values."""
    return dict(loss_cls=F.cross_entropy(scores, torch.cat([s.gt_label for s in samples])))


def count_step(
    build: Callable[[], torch.nn.Module], shape: Tuple[int, ...], bf16: bool = False
) -> Cost:
    """Count forward and backward pass of a training step, as a GPU would run them.

    Args:
        build (Callable): Returns the network: a recognizer, or anything from clips to scores.
        shape (tuple[int]): Shape of the input, (N, M, T, V, C).
        bf16 (bool): Whether autocast is on. Defaults to False.
    """
    labels = torch.zeros(1, dtype=torch.long)
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        use_kernels('batched'),
        mock.patch.object(BaseHead, 'loss_by_feat', _cross_entropy),
        mock.patch('stf_mmaction.models.recognizers.stf_recognizer.check_labels'),
    ):
        model = build().train()
        samples = [ActionDataSample(gt_label=labels.clone()) for _ in range(shape[0])]
        x = torch.empty(shape)
        counter = Counter()
        counter.watch([x, *model.parameters(), *model.buffers()])
        with counter:
            with torch.autocast('cpu', torch.bfloat16, enabled=bf16):
                if hasattr(model, 'lead'):
                    losses = model(x[:, None], samples, mode='loss')
                    loss = sum(value for key, value in losses.items() if 'loss' in key)
                else:
                    loss = F.cross_entropy(model(x), labels.expand(shape[0]))
            loss.backward()
    return Cost(counter.calls, counter.peak_bytes)
