"""Export a recognizer to ONNX and compare it with PyTorch in onnxruntime."""

import argparse
import warnings
from typing import Any, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from stf_mmaction.engine.arguments import add_network_arguments, add_shape_argument
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.flops import input_shape
from stf_mmaction.engine.inference import build_test_dataset, load_model
from stf_mmaction.files import check_writable

CLIPS = 8  # test clips to compare on
BATCHES = (1, 2, 5)  # sizes to run a dynamic file with, each with three lengths
AXES = dict(keypoint={0: 'clips', 2: 'frames'}, scores={0: 'clips'}, logits={0: 'clips'})


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_network_arguments(parser)
    parser.add_argument('--out', default='model.onnx', help='(default: %(default)s)')
    add_shape_argument(parser)
    parser.add_argument(
        '--dynamic',
        action='store_true',
        help='accept any number of clips and frames; the file is compared with PyTorch for three '
        'of each',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1e-4,
        help='largest difference of a score before the softmax, as a share of the largest score '
        '(default: %(default)s)',
    )
    args = parser.parse_args()
    if not args.tolerance >= 0:
        parser.error(f'--tolerance {args.tolerance} must be 0 or more')
    return args


class Scores(nn.Module):
    """Compute the outputs of the ONNX file.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, keypoint: Tensor) -> Tuple[Tensor, Tensor]:
        """Classify skeletons.

        Args:
            keypoint (torch.Tensor): Shape (N, M, T, V, C).

        Returns:
            tuple[torch.Tensor, torch.Tensor]: Probabilities (N, K), and the
            logits of the E networks whose probabilities are averaged,
            (N, E, K).
        """
        inputs = keypoint.unsqueeze(1)
        if hasattr(self.model, 'members'):
            logits = self.model.member_logits(inputs)
        else:
            logits = self.model(inputs, mode='tensor', stage='head').unsqueeze(1)
        return logits.softmax(2).mean(1), logits


def sample_inputs(cfg: Config, count: int = CLIPS) -> Tensor:
    """Prepare clips of the test data, evenly spread over it.

    Args:
        cfg (mmengine.Config): Config of the network.
        count (int): Largest number of clips. Defaults to 8.

    Returns:
        torch.Tensor: Shape (count, M, T, V, C).
    """
    dataset = build_test_dataset(cfg)
    every = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int)
    return torch.stack([dataset[int(i)]['inputs'][0] for i in every]).float()


def resize(clips: Tensor, shape: Sequence[int]) -> Tensor:
    """Arrange clips in batches of a shape.

    Frames are repeated or cut, absent persons are zero, and clips are repeated to
    fill the last batch.

    Args:
        clips (torch.Tensor): Shape (n, M, T, V, C).
        shape (Sequence[int]): (N, M, T, V, C) of a batch.

    Returns:
        torch.Tensor: Shape (batches, N, M, T, V, C).

    Raises:
        ValueError: If the number of joints or channels differs.
    """
    if tuple(clips.shape[3:]) != tuple(shape[3:]):
        raise ValueError(
            f'--shape has {shape[3]} joints and {shape[4]} channels, the test clips of the config '
            f'have {clips.shape[3]} and {clips.shape[4]}: leave --shape out, or use theirs'
        )
    size, persons, frames = shape[:3]
    batches = -(-len(clips) // size)
    index = torch.arange(batches * size) % len(clips)
    clips = clips[index][:, :, torch.arange(frames) % clips.shape[2]]
    out = clips.new_zeros(len(clips), persons, *clips.shape[2:])
    out[:, : clips.shape[1]] = clips[:, :persons]
    return out.unflatten(0, (batches, size))


def sizes_to_check(frames: int) -> Sequence[Tuple[int, int]]:
    """Return pairs of numbers of clips and frames, three of each, to run a dynamic file with.

    Args:
        frames (int): Frames of the clips with which the network was exported.
    """
    lengths = (frames, frames + 1, frames // 2 or 3)
    return [(size, length) for size in BATCHES for length in lengths]


def export(
    model: nn.Module, shape: Sequence[int], out: str, clips: Tensor, dynamic: bool = False
) -> float:
    """Export a model, and compare the results of the file with those of the model.

    Args:
        model (nn.Module): A recognizer or an ensemble, in evaluation mode.
        shape (Sequence[int]): (N, M, T, V, C).
        out (str): The ONNX file, with input ``keypoint`` and the outputs
            ``scores``, probabilities (N, K), and ``logits``, before the
            softmax, (N, E, K).
        clips (torch.Tensor): Clips to compare on, shape (n, M, T, V, C). Use
            real ones: for random numbers a network predicts the same class
            almost regardless of its weights.
        dynamic (bool): Whether the file accepts any N and T. Defaults to
            False.

    Returns:
        float: Largest difference of a logit, as a share of the largest.

    Raises:
        ValueError: If a dynamic file does not run with other sizes.
    """
    import onnxruntime

    net = Scores(model).eval()
    batches = resize(clips, shape)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that checks of shapes are not exported
        torch.onnx.export(
            net,
            (batches[0],),
            out,
            input_names=['keypoint'],
            output_names=['scores', 'logits'],
            opset_version=17,
            dynamo=False,
            dynamic_axes=AXES if dynamic else None,
        )
    session = onnxruntime.InferenceSession(out, providers=['CPUExecutionProvider'])
    differences = [compare(net, session, batches)]
    for size, frames in sizes_to_check(shape[2]) if dynamic else ():
        some = resize(clips, (size, shape[1], frames, *shape[3:]))[:1]
        try:
            differences.append(compare(net, session, some))
        except Exception as error:  # onnxruntime's errors share no other base class
            raise ValueError(
                f'{out} does not run on {size} clips of {frames} frames: a part of this network '
                'has a fixed size when exported; leave --dynamic out, and write one file per shape'
            ) from error
    return max(differences)


@torch.no_grad()
def compare(net: nn.Module, session: Any, batches: Tensor) -> float:
    """Return the largest difference between the logits of a file and of a network.

    Args:
        net (nn.Module): See :class:`Scores`.
        session (onnxruntime.InferenceSession): Session of the file.
        batches (torch.Tensor): Shape (batches, N, M, T, V, C).

    Returns:
        float: Difference, as a share of the largest logit.
    """
    expected = torch.stack([net(batch)[1] for batch in batches])
    computed = [session.run(['logits'], dict(keypoint=batch.numpy()))[0] for batch in batches]
    difference = (torch.from_numpy(np.stack(computed)) - expected).abs().max()
    return (difference / expected.abs().max().clamp(min=1e-6)).item()


def main() -> None:
    """Export a recognizer, and check the file."""
    args = parse_args()
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ValueError(f'{error.name} is not installed: pip install onnx onnxruntime') from error
    check_writable(args.out)
    cfg, model = load_model(args.config, args.checkpoint, cfg_options=args.cfg_options)
    try:
        clips = sample_inputs(cfg)
        kind = 'test clips'
    except FileNotFoundError:
        shape = args.shape or input_shape(cfg)
        clips, kind = torch.randn(CLIPS, *shape[1:]) / 2, 'random clips, as there is no test data'
    shape = args.shape or (1, *clips.shape[1:])
    difference = export(model, shape, args.out, clips, args.dynamic)
    taken, checked = f'{tuple(shape)}', ''
    if args.dynamic:
        persons, joints, channels = (shape[axis] for axis in (1, 3, 4))
        taken = f'(clips, {persons}, frames, {joints}, {channels}), any number of clips and frames'
        checked = f' at {len(sizes_to_check(shape[2]))} sizes'
    print(
        f'{args.out}: input {taken}; scores before the softmax differ from PyTorch on '
        f'{len(clips)} {kind}{checked}, by at most {difference:.1e} of the largest'
    )
    if not difference <= args.tolerance:
        raise ValueError(
            f'{args.out} does not compute what the checkpoint does: '
            f'{difference:.1e} is more than --tolerance {args.tolerance}'
        )


if __name__ == '__main__':
    run(main)
