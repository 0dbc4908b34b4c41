"""Export a recognizer to ONNX and compare it with PyTorch in onnxruntime."""

import argparse
import warnings
from typing import Sequence

import torch
from mmengine.config import DictAction
from torch import Tensor, nn

from stf_mmaction.engine.cli import checkpoint, existing, run
from stf_mmaction.engine.inference import load_model


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=existing, help='config file')
    parser.add_argument('checkpoint', type=checkpoint, help='checkpoint file or URL')
    parser.add_argument('--out', default='model.onnx', help='(default: %(default)s)')
    parser.add_argument(
        '--shape',
        nargs=5,
        type=int,
        default=(1, 2, 100, 25, 4),
        metavar=('N', 'M', 'T', 'V', 'C'),
        help='clips, persons, frames, joints, channels, which are fixed in '
        'the file (default: %(default)s)',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1e-4,
        help='largest difference of a probability (default: %(default)s)',
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args()


class Probabilities(nn.Module):
    """Skeletons (N, M, T, V, C) -> probabilities (N, K)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.stage = {} if hasattr(model, 'members') else dict(stage='head')

    def forward(self, keypoint: Tensor) -> Tensor:
        scores = self.model(keypoint.unsqueeze(1), mode='tensor', **self.stage)
        return scores.softmax(1) if self.stage else scores


def export(model: nn.Module, shape: Sequence[int], out: str) -> float:
    """Write a file and say how far its results are from the model's.

    Args:
        model (nn.Module): A recognizer or an ensemble, in evaluation mode.
        shape (Sequence[int]): (N, M, T, V, C).
        out (str): The ONNX file, with input ``keypoint`` and output
            ``scores``.

    Returns:
        float: Largest difference of a probability on another random input.
    """
    import onnxruntime

    net = Probabilities(model).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # shapes are constants, as said
        torch.onnx.export(
            net,
            (torch.randn(tuple(shape)),),
            out,
            input_names=['keypoint'],
            output_names=['scores'],
            opset_version=17,
            dynamo=False,
        )
        keypoint = torch.randn(tuple(shape))
        expected = net(keypoint)
    session = onnxruntime.InferenceSession(out, providers=['CPUExecutionProvider'])
    (scores,) = session.run(None, dict(keypoint=keypoint.numpy()))
    return (torch.from_numpy(scores) - expected).abs().max().item()


def main() -> None:
    args = parse_args()
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ValueError(f'{error.name} is not installed: pip install onnx onnxruntime') from error
    _, model = load_model(args.config, args.checkpoint, cfg_options=args.cfg_options)
    difference = export(model, args.shape, args.out)
    print(f'{args.out}: probabilities differ from PyTorch by at most {difference:.1e}')
    if not difference <= args.tolerance:
        raise ValueError(
            f'{args.out} does not compute what the checkpoint does: '
            f'{difference:.1e} is more than --tolerance {args.tolerance}'
        )


if __name__ == '__main__':
    run(main)
