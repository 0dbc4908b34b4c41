"""Each guarantee names a test that exists."""

import re

from helpers import ROOT


def test_every_guarantee_names_a_test():
    text = (ROOT / 'docs/guarantees.md').read_text(encoding='utf-8')
    rows = [line for line in text.splitlines() if line.startswith('| ') and '`tests/' in line]
    assert len(rows) > 25
    for row in rows:
        path, name = re.search(r'`(tests/[\w/]+\.py)::(\w+)` \|$', row).groups()
        source = (ROOT / path).read_text(encoding='utf-8')
        assert f'\ndef {name}(' in source, row
        after = source.partition(f'\ndef {name}(')[0]
        slow = 'pytestmark = pytest.mark.slow' in source or after.rstrip().endswith('mark.slow')
        assert not slow or '*slow*' in row, row
