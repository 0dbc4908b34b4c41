"""Define the arguments that the converters share."""

import argparse
import os
from pathlib import Path

from stf_mmaction.engine.arguments import positive


def add_conversion_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that all converters share."""
    parser.add_argument('out', type=_pickle_path, help='the pickle to write')
    parser.add_argument(
        '--workers',
        type=positive,
        default=os.cpu_count(),
        help='processes that read files; defaults to one for each CPU',
    )


def existing_folder(path: str) -> Path:
    """Check that a folder exists, as an argparse type."""
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f'folder {path} does not exist')
    return Path(path)


def below_folders(path: str) -> Path:
    """Check that a folder exists or can be created, as an argparse type."""
    for folder in (Path(path), *Path(path).parents):
        if folder.is_file():
            raise argparse.ArgumentTypeError(f'{folder} is a file: it cannot be a folder')
    return Path(path)


def _pickle_path(path: str) -> Path:
    if not path.endswith('.pkl'):
        raise argparse.ArgumentTypeError(f'{path} must end in .pkl')
    if Path(path).is_dir():
        raise argparse.ArgumentTypeError(f'{path} is a folder: name a file')
    below_folders(Path(path).parent)
    return Path(path)
