"""Class names in every form that users have them in."""

import numpy as np
import pytest

from stf_mmaction.datasets.class_names import (
    as_class_names,
    check_class_names,
    find_class_names,
    read_class_names,
)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'latin-1'])
def test_files_of_any_encoding(tmp_path, encoding):
    path = tmp_path / 'names.txt'
    path.write_bytes('höher\r\n  kick \r\ncafé\r\n\r\n'.encode(encoding))
    assert read_class_names(path) == ('höher', 'kick', 'café')


def test_files_that_are_no_lists_of_names(tmp_path):
    with pytest.raises(FileNotFoundError, match='missing.txt of class names'):
        read_class_names(tmp_path / 'missing.txt')
    path = tmp_path / 'names.txt'
    path.write_text('')
    with pytest.raises(ValueError, match='names.txt: class names are'):
        read_class_names(path)
    path.write_text('kick\n\nwave\n')
    with pytest.raises(ValueError, match='the name of class 1 is'):
        read_class_names(path)


@pytest.mark.parametrize(
    'value', [['a', 'b'], ('a', 'b'), np.array(['a', 'b']), {1: 'b', 0: 'a'}, {'0': 'a', '1': 'b'}]
)
def test_lists_arrays_and_dicts(value):
    names = as_class_names(value, 'here')
    assert names == ('a', 'b') and all(type(name) is str for name in names)


@pytest.mark.parametrize('value', ['ab', [], None, 3, ['a', 3], ['a', ' '], {1: 'a', 2: 'b'}])
def test_what_is_no_list_of_names(value):
    with pytest.raises(ValueError, match='here: '):
        as_class_names(value, 'here')


def test_the_first_names_that_fit():
    one, two = dict(classes=('a', 'b')), dict(classes=['c', 'd', 'e'])
    assert find_class_names(2, one, two) == ('a', 'b')
    assert find_class_names(3, one, two) == ('c', 'd', 'e')
    assert find_class_names(4, one, None, {}) is None
    check_class_names(['a', 'b'], 2, 'here')
    with pytest.raises(ValueError, match='here: 2 class names for a network of 3 classes'):
        check_class_names(['a', 'b'], 3, 'here')
