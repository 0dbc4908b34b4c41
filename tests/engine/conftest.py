"""Shared by the tests of engine/."""

import pytest
from helpers.focus_clips import write_clips


@pytest.fixture(scope='session')
def ann_file(tmp_path_factory):
    """Seven clips of one to three persons; in one the network sees nobody."""
    return write_clips(tmp_path_factory.mktemp('data'))
