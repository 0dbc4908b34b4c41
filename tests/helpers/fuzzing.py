"""Damaged copies of good files, by hypothesis.

``STF_FUZZ`` sets the examples per reader; ``STF_FUZZ_SECONDS`` goes on for so long, with other
examples each time, and prints how many there were (``pytest -s``).
"""

import os
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get('STF_FUZZ', 150))
SECONDS = float(os.environ.get('STF_FUZZ_SECONDS', 0))


def changed(draw, data):
    """Data with some bytes changed, cut, doubled or put in."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from('flip cut double code splice'.split()))
        if kind == 'flip' and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == 'cut':
            del data[at : at + draw(st.integers(1, 8))]
        elif kind == 'double':
            part = data[at : at + draw(st.integers(1, 40))]
            data[at:at] = part * draw(st.integers(1, 20))
        elif kind == 'code':
            data[at:at] = draw(st.binary(min_size=1, max_size=6))
        else:
            other = draw(st.integers(0, max(len(data) - 1, 0)))
            data[at:at] = data[other : other + draw(st.integers(1, 30))]
    return bytes(data)


@st.composite
def damaged(draw, files, words=()):
    """One of some files, changed, or with one of its words exchanged for another."""
    data = draw(st.sampled_from(list(files)))
    if words and draw(st.booleans()):
        parts = data.split(b' ')
        place = draw(st.integers(0, len(parts) - 1))
        parts[place] = draw(st.sampled_from(list(words)))
        return b' '.join(parts)
    return changed(draw, data)


def hammer(name, files, check, examples=EXAMPLES):
    """Check a reader on many files; on other ones each time where there is much time."""
    count, start = 0, time.monotonic()

    def run(number):
        @settings(
            max_examples=number,
            deadline=None,
            database=None,
            derandomize=not SECONDS and number < 1000,
            suppress_health_check=list(HealthCheck),
        )
        @given(files)
        def checks(data):
            nonlocal count
            count += 1
            check(data)

        checks()

    run(examples)
    while time.monotonic() - start < SECONDS:
        run(500)
    if SECONDS:
        print(f'\n{name}: {count} examples in {time.monotonic() - start:.0f} s')
