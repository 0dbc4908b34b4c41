"""Shared arguments of the tools: each flag has one meaning, one default and one check."""

import argparse
from pathlib import Path

import torch

from .config_file import CfgOptions


def existing(path: str) -> str:
    """Check that a file exists, as an argparse type."""
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f'file {path} does not exist')
    return path


def checkpoint(path: str) -> str:
    """Check that a checkpoint file exists or is a URL, as an argparse type."""
    return path if path.startswith(('http://', 'https://')) else existing(path)


def positive(text: str) -> int:
    """Parse a positive integer, as an argparse type."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} must be at least 1')
    return int(text)


def seed(text: str) -> int:
    """Parse a random seed, as an argparse type; NumPy accepts 32 bits."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f'{text} must be a whole number from 0 to {2**32 - 1}')
    return int(text)


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a trained network: its config, its checkpoint, and settings to override."""
    parser.add_argument('config', type=existing, help='config file')
    parser.add_argument('checkpoint', type=checkpoint, help='checkpoint file or URL')
    add_cfg_options(parser)


def add_cfg_options(parser: argparse.ArgumentParser, parsed: bool = True) -> None:
    """Add ``--cfg-options``, as in MMAction2's tools.

    Args:
        parser (argparse.ArgumentParser): Parser of a tool that reads a config.
        parsed (bool): Whether the result is a dict, instead of a list of words to pass on.
            Defaults to True.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions if parsed else None,
        help='settings to override in the config, as key=value; nested keys '
        'are joined by dots, lists are written key="[a,b]" or key=a,b',
    )


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='as PyTorch names it; defaults to the GPU if there is one',
    )


def add_shape_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--shape``, the shape of the input."""
    parser.add_argument(
        '--shape',
        nargs=5,
        type=positive,
        metavar=('N', 'M', 'T', 'V', 'C'),
        help='clips, persons, frames, joints, channels; defaults to one test clip of the config',
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that train.py and test.py share, named as in MMAction2."""
    parser.add_argument(
        '--work-dir',
        help='where logs and checkpoints go; defaults to the work_dir of the '
        'config, or work_dirs/ and the name of the config',
    )
    add_cfg_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='launcher of a distributed run',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
