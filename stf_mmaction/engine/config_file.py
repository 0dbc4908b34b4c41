"""Read config files and their overrides; a mistake ends in one sentence."""

import argparse
import traceback
from pathlib import Path
from typing import Dict, Optional, Sequence, Union

import mmengine
from mmengine.config import Config, DictAction

_SECTIONS = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)
_ENDINGS = ('.py', '.json', '.yaml', '.yml')


class CfgOptions(DictAction):
    """MMEngine's ``DictAction``, but mistakes end in a usage message."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Sequence[str],
        option_string: Optional[str] = None,
    ) -> None:
        """Parse ``key=value`` pairs."""
        for value in values:
            if '=' not in value[1:]:
                parser.error(f'argument {option_string}: {value!r} is not of the form key=value')
        try:
            super().__call__(parser, namespace, values, option_string)
        except AssertionError as error:  # brackets
            parser.error(f'argument {option_string}: {error}')


def read_config(path: Union[str, Path]) -> Config:
    """Read a config file.

    Args:
        path (str or Path): The file. It is Python, and is run.

    Raises:
        OSError: If it, or one of its bases, is missing.
        ValueError: If it is not a config, or its code fails.
    """
    if Path(path).suffix not in _ENDINGS:
        raise ValueError(f'config {path} must end in {", ".join(_ENDINGS[:-1])} or {_ENDINGS[-1]}')
    try:
        return Config.fromfile(path)
    except OSError:
        raise
    except Exception as error:
        if '_delete_=True' in str(error):
            raise  # cli.run explains it
        # MMEngine puts a list of folders around the error of a custom import.
        cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
        raise ValueError(
            f'config {path} cannot be read{_place(cause)}: {type(cause).__name__}: '
            f'{_first_line(cause)}'
        ) from error


def _place(error: Exception) -> str:
    """Return the line of a config, or of a module that it imports, in which an error occurred."""
    if isinstance(error, SyntaxError):
        return f' (line {error.lineno})'
    frame = traceback.extract_tb(error.__traceback__)[-1]
    ours = Path(mmengine.__file__).parent in Path(frame.filename).parents
    known = not ours and Path(frame.filename).is_file()
    return f' (line {frame.lineno} of {frame.filename})' if known else ''


def _first_line(error: Exception) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return text.strip().partition('\n')[0][:300]


def merge_options(cfg: Config, options: Optional[Dict]) -> None:
    """Override settings of a config.

    Args:
        cfg (mmengine.Config): Changed in place.
        options (dict, optional): Values by names with dots.

    Raises:
        ValueError: If one does not fit the config.
    """
    try:
        cfg.merge_from_dict(options or {})
    except Exception as error:
        if '_delete_=True' in str(error):
            raise  # cli.run explains it
        raise ValueError(
            f'--cfg-options {" ".join(options)} do not fit the config: {_first_line(error)}'
        ) from error


def require(cfg: Config, what: str, *keys: str) -> None:
    """Raise a ValueError if a config lacks some settings.

    Args:
        cfg (mmengine.Config): The config.
        what (str): What requires them, for the error.
        keys (str): Names of the settings.
    """
    missing = [key for key in keys if cfg.get(key) is None]
    if missing:
        raise ValueError(
            f'the config {cfg.filename or ""} lacks {", ".join(missing)}, which {what} needs'
        )


def check_sections(cfg: Config) -> None:
    """Raise a ValueError if a config has only part of a training, or a wrapper that fails.

    Args:
        cfg (mmengine.Config): The config.
    """
    for keys in _SECTIONS:
        there = [key for key in keys if cfg.get(key) is not None]
        if there and len(there) < len(keys):
            lacking = ' and '.join(key for key in keys if key not in there)
            raise ValueError(
                f'the config has {" and ".join(there)} but lacks {lacking}: add what is missing, '
                'or set all three to None'
            )
    for wrapper in (cfg.get('model_wrapper_cfg'), (cfg.get('strategy') or {}).get('model_wrapper')):
        if (wrapper or {}).get('auto_wrap_policy') is not None:
            raise ValueError(
                'auto_wrap_policy lets FSDP shard parts of the network separately, but the '
                'operators read the weights of several parts at once: remove it, so that FSDP '
                'shards the network as a whole, or use DDP'
            )
