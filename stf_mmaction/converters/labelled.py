"""Share code among the converters that read a table of labels."""

import argparse
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from stf_mmaction.engine.arguments import existing, positive

from .arguments import add_conversion_arguments, existing_folder
from .clips import Clip, Skipped, find_files
from .labels import Labels, read_labels

Files = Dict[str, List[Path]]  # by the name of their clip


def labelled_parser(description: str, contents: str) -> argparse.ArgumentParser:
    """Return a parser of the arguments that these converters have in common.

    Args:
        description (str): Docstring of the tool; its first line is used.
        contents (str): Contents of the folder to convert, for the help.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument('source', type=existing_folder, help=f'folder with {contents}')
    parser.add_argument(
        'labels',
        type=existing,
        help='CSV file with the columns clip, label and, optionally, split',
    )
    add_conversion_arguments(parser)
    return parser


def add_persons_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the number of persons to keep."""
    parser.add_argument(
        '--persons',
        type=positive,
        default=2,
        help='persons to keep of each clip (default: %(default)s)',
    )


def by_stem(source: Path, files: Sequence[Path]) -> Tuple[Files, Skipped]:
    """Return files by their path below a folder, without the ending; none is left out."""
    named: Files = {}
    for file in files:
        named.setdefault(file.relative_to(source).with_suffix('').as_posix(), []).append(file)
    return named, []


def find_labelled(
    args: argparse.Namespace,
    endings: Sequence[str],
    aliases: Sequence[str] = (),
    group: Callable[[Path, Sequence[Path]], Tuple[Files, Skipped]] = by_stem,
) -> Tuple[List[Clip], Skipped, Optional[Sequence[str]]]:
    """Find the clips that a table labels.

    Args:
        args (argparse.Namespace): With ``source``, the folder, and ``labels``, the table.
        endings (Sequence[str]): Of the files to read, in any case.
        aliases (Sequence[str]): Other endings that the table may give a clip, such as that of
            its video. Defaults to ().
        group (callable): Returns the clip of each file, or the reason to leave it out.
            Defaults to :func:`by_stem`.

    Returns:
        tuple: Clips with a file and a label, the others with the reason, and the names of the
        classes, if the table has names.

    Raises:
        SystemExit: If the table is malformed, or the folder has no such file.
    """
    table = Path(args.labels)
    labels = read_labels(table)
    found, unread = find_files(args.source, lambda name: name.lower().endswith(tuple(endings)))
    files, unnamed = group(args.source, [file for file in found if not file.samefile(table)])
    if not files:
        raise SystemExit(
            f'error: {args.source} holds no {_either(endings)} file: put one for each clip into it'
        )
    missing = f'no {_either(endings)} file in {args.source}'
    clips, skipped = match_labels(files, labels, table, (*endings, *aliases), missing)
    return clips, unread + unnamed + skipped, labels.classes


def _either(words: Sequence[str]) -> str:
    """Return ``a``, ``a or b``, ``a, b or c``."""
    *others, last = words
    return f'{", ".join(others)} or {last}' if others else last


def match_labels(
    files: Files, labels: Labels, path: Path, endings: Sequence[str], missing: str
) -> Tuple[List[Clip], Skipped]:
    """Find the file of each labelled clip.

    Args:
        files (dict[str, list[Path]]): Files by the name of their clip.
        labels (Labels): The table.
        path (Path): Its file, for the error.
        endings (Sequence[str]): A clip may be named with one of these.
        missing (str): The reason to leave out a clip without a file.

    Returns:
        tuple: Clips with a file and a label, and the others with the reason.

    Raises:
        SystemExit: If a clip has two labels.
    """
    names = [_clip_name(clip, files, endings) for clip, _, _ in labels.rows]
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise SystemExit(f'error: {path} labels clip {name} {times} times')
    clips, skipped, left = [], [], dict(files)
    for name, (_, label, split) in zip(names, labels.rows):
        if name not in left:
            skipped.append((name, f'its file is missing: {missing}'))
        clips += [Clip(name, label, (split,), file) for file in left.pop(name, ())]
    skipped += [(name, 'it has no label') for name in left]
    return clips, skipped


def _clip_name(clip: str, files: Files, endings: Sequence[str]) -> str:
    """Return the name of a clip as its file has it: ``.\\anna\\wave.csv`` is ``anna/wave``."""
    name = str(PurePosixPath(clip.replace('\\', '/')))
    if name not in files:
        for ending in endings:
            if name.lower().endswith(ending):
                return name[: -len(ending)]
    return name
