"""Replay the losses and gradients of a network as a CUDA graph.

A step of these networks launches thousands of small kernels. A fast GPU finishes each before
Python has launched the next; a CUDA graph launches all of them at once.
"""

import logging
import warnings
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Optional, Tuple
from weakref import WeakSet

import torch
from mmaction.structures import ActionDataSample
from mmaction.utils import SampleList
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.func import functional_call

from stf_mmaction.focus.matrices import kept_matrices

from ..backbones import MSG3DBackbone
from ..heads import STFHead
from ..ops.dispatch import autocast_dtype
from .backward_now import attach_gradients, compute_gradients, scaled

WARM_UP = 3  # steps before a recording, in which the libraries choose their algorithms


class GraphedLoss:
    """Losses of a network with their gradients, recorded once and then replayed.

    A recording is valid for one shape of the input, one set of losses and loss weights, and
    weights that stay in their memory. After three equal steps in a row a step is recorded;
    others, such as the last and smaller batch of an epoch, run as usual. Nothing is recorded
    under float16 autocast, whose loss scale is not known before the backward pass, and for
    networks that communicate, are compiled, or wait for the GPU in a step.

    A copy or a pickle has no recording.
    """

    def __init__(self) -> None:
        self._last: Optional[Tuple] = None
        self._repeats = 0
        self._recording: Optional[_Recording] = None
        self._waits = False

    def __reduce__(self) -> Tuple:
        """Leave the recording out."""
        return GraphedLoss, ()

    def __call__(
        self, network: nn.Module, inputs: Tensor, data_samples: SampleList
    ) -> Dict[str, Tensor]:
        """Compute the losses of a batch; those of a replay have their gradients already.

        Args:
            network (torch.nn.Module): Its ``compute_losses`` never waits for the GPU, and reads
                only the ``gt_label`` of the samples.
            inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples with gt_label.
        """
        if self._waits or not can_record(network, inputs):
            return network.compute_losses(inputs, data_samples)
        labels = torch.stack([s.gt_label for s in data_samples]).to(inputs.device)
        key = _state(network, inputs, labels)
        if self._recording is not None:
            if key == self._recording.key:
                return self._recording.replay(network, inputs, labels)
            if key[1:] != self._recording.key[1:]:  # not only another shape
                self._recording = None  # frees its memory
        self._repeats = self._repeats + 1 if key == self._last else 1
        self._last = key
        if self._repeats < WARM_UP:
            return network.compute_losses(inputs, data_samples)
        if self._repeats == WARM_UP:
            with watched_waits() as waits:
                losses = network.compute_losses(inputs, samples_of(labels))
            self._waits = bool(waits)
            return losses
        self._recording = None
        self._recording = _Recording(key, network, inputs, labels)
        return self._recording.replay(network, inputs, labels)


def record_steps(model: nn.Module) -> List[str]:
    """Let the networks of a model that can be recorded replay their training steps.

    These are :class:`STFRecognizer` with an MS-G3D and an ``STFHead``, whose steps never wait for
    the GPU.

    Args:
        model (torch.nn.Module): A recognizer or an ensemble.

    Returns:
        list[str]: The names of the networks in the model; that of the model itself is empty.
    """
    found = []
    for name, part in model.named_modules():
        if (
            hasattr(part, 'graphed')
            and isinstance(part.backbone, MSG3DBackbone)
            and isinstance(part.cls_head, STFHead)
        ):
            part.graphed = GraphedLoss()
            found.append(name)
    return found


def can_record(network: nn.Module, inputs: Tensor) -> bool:
    """Return whether a step of a network with these inputs can be recorded as a CUDA graph."""
    return inputs.is_cuda and autocast_dtype(inputs) != torch.float16 and is_plain(network)


def is_plain(network: nn.Module) -> bool:
    """Return whether a network holds its own weights, does not communicate, and is not compiled.

    FSDP takes the weights out of a network, and ``SyncBatchNorm`` communicates.
    """
    special = any(
        isinstance(m, nn.SyncBatchNorm)
        or hasattr(m, 'dynamo_ctx')
        or getattr(m, '_compiled_call_impl', None) is not None
        for m in network.modules()
    )
    return not special and any(p.requires_grad for p in network.parameters())


def _state(network: nn.Module, inputs: Tensor, labels: Tensor) -> Tuple:
    """Return what a recording depends on; the shapes come first."""
    losses = [m for m in network.cls_head.modules() if hasattr(m, 'loss_weight')]
    modules = list(network.modules())  # walked once: this runs in every step
    memory = [t for m in modules for t in (*m._parameters.values(), *m._buffers.values())]
    return (
        (inputs.shape, labels.shape),
        inputs.dtype,
        labels.dtype,
        autocast_dtype(inputs),
        network.baseline,
        tuple(m.loss_weight for m in losses),
        tuple(m.training for m in modules),
        tuple((t.data_ptr(), t.requires_grad) for t in memory if t is not None),
    )


def samples_of(labels: Tensor) -> SampleList:
    """Return N samples with these labels, (N, 1) or (N, K)."""
    return [ActionDataSample(gt_label=own) for own in labels]


class _Losses(nn.Module):
    """The losses of a network as its forward pass, which ``functional_call`` runs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor, data_samples: SampleList) -> Dict[str, Tensor]:
        return self.network.compute_losses(inputs, data_samples)


class _Recording:
    """A recorded step.

    Args:
        key (tuple): See :func:`_state`.
        network (torch.nn.Module): As in :class:`GraphedLoss`.
        inputs (torch.Tensor): Shape (N, num_clips, M, T, V, C).
        labels (torch.Tensor): Shape (N, 1), or (N, K) for soft labels.
    """

    def __init__(self, key: Tuple, network: nn.Module, inputs: Tensor, labels: Tensor) -> None:
        self.key = key
        self._inputs, self._labels = inputs.clone(), labels.clone()
        self._values: Dict[str, Tensor] = {}
        self._gradients: Tuple[Optional[Tensor], ...] = ()
        self._matrices = kept_matrices()  # a graph reads them where they are
        self._replay = record(lambda: self._step(network))

    def _step(self, network: nn.Module) -> None:
        # Of aliases of the weights: a backward pass would wait for the stream on which weights
        # were first used (always, under DDP), and that one is not recorded.
        whole = _Losses(network)
        aliases = {
            name: p.detach().requires_grad_()
            for name, p in whole.named_parameters()
            if p.requires_grad
        }
        losses = functional_call(whole, aliases, (self._inputs, samples_of(self._labels)))
        self._gradients = compute_gradients(losses, list(aliases.values()))
        self._values = {key: value.detach() for key, value in losses.items()}

    def replay(self, network: nn.Module, inputs: Tensor, labels: Tensor) -> Dict[str, Tensor]:
        """Compute the losses of a batch of the recorded shape, as copies: a replay overwrites."""
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        self._replay()
        values = {key: value.clone() for key, value in self._values.items()}
        learning = [p for p in network.parameters() if p.requires_grad]
        return attach_gradients(values, scaled(self._gradients, 1.0), learning)


_GRAPHS: WeakSet = WeakSet()  # share their memory, since they run one after the other


@contextmanager
def watched_waits() -> Iterator[List[str]]:
    """Watch for waits for the GPU and copies from pageable memory, which cannot be recorded.

    Yields:
        list[str]: PyTorch's warnings about them, filled at the end, when they are also logged.
    """
    waits: List[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(before)
    waits += [
        f'{w.filename}:{w.lineno}' for w in caught if 'called a synchronizing' in str(w.message)
    ]
    if waits:
        print_log(
            f'the losses wait for the GPU at {waits[0]}, so that training steps are not replayed '
            'as a CUDA graph, which would be faster; cuda_graph=False in the config turns this '
            'warning off',
            logger='current',
            level=logging.WARNING,
        )


def record(step: Callable[[], None]) -> Callable[[], None]:
    """Record what a function launches, without running it, and return a function that replays it.

    Args:
        step (Callable): Launches work on the GPU and never waits for it.
    """
    graph = torch.cuda.CUDAGraph()
    other = next(iter(_GRAPHS), None)  # held, since its memory is used from here on
    pool = None if other is None else other.pool()
    torch.clear_autocast_cache()  # of weights that were cast outside of the graph
    # Data loaders may use the GPU in other threads meanwhile.
    with torch.cuda.graph(graph, pool=pool, capture_error_mode='thread_local'):
        step()
    torch.clear_autocast_cache()
    _GRAPHS.add(graph)
    return graph.replay
