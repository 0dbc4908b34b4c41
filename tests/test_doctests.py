"""The examples in the docstrings of focus/ and losses/ are true."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
import torch

from stf_mmaction import focus
from stf_mmaction.losses import functional

MODULES = [f'{focus.__name__}.{m.name}' for m in pkgutil.iter_modules(focus.__path__)]
MODULES.append(functional.__name__)


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    results = doctest.testmod(module, extraglobs=dict(torch=torch))
    assert results.attempted and not results.failed


@pytest.mark.parametrize('name', focus.__all__)
def test_every_public_function_has_an_example(name):
    assert '>>> ' in inspect.getdoc(getattr(focus, name)), name
