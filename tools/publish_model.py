"""Prepare a checkpoint for publication, as in MMAction2's model zoo.

Only the weights and their meta data are kept. The name ends in the first
eight digits of the file's SHA-256, which are checked after a download.
"""

import argparse
import hashlib
import io
from pathlib import Path

import torch

from stf_mmaction.engine.arguments import existing
from stf_mmaction.engine.cli import run
from stf_mmaction.files import read_checkpoint, replacing


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=existing, help='checkpoint of a training')
    parser.add_argument('out', help='path of the new file; the digits and .pth are added')
    return parser.parse_args()


def publish(source: str, out: str) -> Path:
    """Write weights and meta data under a name with a hash.

    Args:
        source (str): A checkpoint of a training.
        out (str): ``<folder>/<name>``.

    Returns:
        pathlib.Path: ``<folder>/<name>-<digits>.pth``.

    Raises:
        ValueError: If the checkpoint has no weights, or ``out`` is a folder.
    """
    loaded = read_checkpoint(source)
    if 'state_dict' not in loaded:
        raise ValueError(f'{source} has no state_dict: give a checkpoint of tools/train.py')
    # Users do not need what a training resumes from.
    kept = {k: loaded[k] for k in ('meta', 'state_dict') if k in loaded}
    out = out[:-4] if out.endswith('.pth') else out
    if out.endswith('/') or Path(out).is_dir():
        raise ValueError(f'{out} is a folder: add the name of the file, without digits and .pth')
    whole = io.BytesIO()
    torch.save(kept, whole)
    digits = hashlib.sha256(whole.getbuffer()).hexdigest()[:8]
    final = Path(f'{out}-{digits}.pth')
    with replacing(final) as partial:
        partial.write_bytes(whole.getbuffer())
    return final


def main() -> None:
    """Write the file, and print its name and size."""
    args = parse_args()
    final = publish(args.checkpoint, args.out)
    print(f'{final}: {final.stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    run(main)
