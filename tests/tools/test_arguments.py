"""Arguments of all tools: one meaning and one default for each flag."""

import argparse
import sys
from unittest import mock

import pytest
from helpers import ROOT
from helpers.tools import load

from stf_mmaction.engine.arguments import add_shape_argument, positive

TOOLS = sorted((ROOT / 'tools').rglob('*.py'))
# Flags that differ on purpose.
OWN = {
    '--out': 'each tool writes a file of its own',
    '--num-clips': 'pictures, pages and a sample of a split need different numbers',
    '--seed': 'train.py leaves the choice to the config',
    '--versus': 'a network beside a network, a dump beside a dump',
    '--results': 'a folder to read, and one to write',
}


class Parsed(Exception):
    """Ends a tool where it would read its arguments; holds the parser."""


def parser_of(path):
    """The parser of a tool."""

    def stop(parser, *_, **__):
        raise Parsed(parser)

    with (
        mock.patch.object(argparse.ArgumentParser, 'parse_args', stop),
        mock.patch('sys.argv', [path.name]),
        pytest.raises(Parsed) as parsed,
    ):
        load(path).main()
    return parsed.value.args[0]


@pytest.fixture(scope='module')
def parsers():
    return {str(path.relative_to(ROOT)): parser_of(path) for path in TOOLS}


def test_a_flag_is_the_same_in_every_tool(parsers):
    found = {}
    for tool, parser in parsers.items():
        for action in parser._actions:
            for flag in action.option_strings:
                kind = action.default, action.nargs, action.type, action.choices
                found.setdefault(flag, {}).setdefault(repr(kind), []).append(tool)
    differing = {flag: kinds for flag, kinds in found.items() if len(kinds) > 1}
    assert set(differing) <= set(OWN), differing


def test_settings_can_be_overridden_wherever_a_config_is_read(parsers):
    for tool, parser in parsers.items():
        names = {action.dest for action in parser._actions}
        if names & {'config', 'configs', 'row'}:
            assert 'cfg_options' in names, tool


def test_every_argument_is_explained(parsers):
    for tool, parser in parsers.items():
        for action in parser._actions:
            assert action.help or action.dest == 'local_rank', (tool, action.dest)


def test_no_tool_imports_another(monkeypatch):
    """They run from any folder, also from that of a wheel."""
    names = {path.stem for path in TOOLS} - {'test'}
    monkeypatch.setattr(sys, 'path', [p for p in sys.path if 'tools' not in p])
    for path in TOOLS:
        lines = path.read_text().splitlines()
        imported = {line.split()[1] for line in lines if line.startswith(('import ', 'from '))}
        assert not imported & names, path


def test_a_shape_has_five_sizes():
    parser = argparse.ArgumentParser()
    add_shape_argument(parser)
    assert parser.parse_args('--shape 1 2 3 4 5'.split()).shape == [1, 2, 3, 4, 5]
    with pytest.raises(argparse.ArgumentTypeError, match='0 must be at least 1'):
        positive('0')
