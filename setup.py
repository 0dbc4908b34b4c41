"""Installation; see README.md."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (HERE / 'stf_mmaction/version.py').read_text()).group(
    1
)

setup(
    name='stf-mmaction',
    version=VERSION,
    description='Spatio-temporal focus (STF, AAAI 2022) for skeleton-based '
    'action recognition with MMAction2',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['stf_mmaction', 'stf_mmaction.*']),
    # configs and tools are links in .mim/, where MMEngine looks for them.
    package_data={'stf_mmaction': ['.mim/**/*', 'visualization/page/*']},
    python_requires='>=3.10',
    install_requires=[
        # 2.6 is the first whose torch.load does not run code by default.
        'torch>=2.6',
        'mmengine==0.10.7',
        'mmaction2==1.2.0',
        'numpy',
        'matplotlib>=3.6',
        # mmaction2 imports it without saying so.
        'importlib_metadata',
        # Later ones lack pkg_resources.
        'setuptools<81',
    ],
    # mmcv is left to the user: mmcv-lite would overwrite a full mmcv.
    extras_require={
        'lite': ['mmcv-lite==2.1.0'],
        'export': ['onnx', 'onnxruntime'],
        'visual': ['pillow', 'imageio-ffmpeg'],
        'analysis': ['captum', 'grad-cam', 'scikit-learn'],
        'test': [
            'hypothesis',
            'pytest',
            'pytest-xdist>=3.8',
            # Older ones cannot build a wheel by themselves.
            'setuptools>=70.1',
            'onnx',
            'onnxruntime',
            'playwright',
            'ruff==0.17.6',
            'mypy==2.4.1',
        ],
    },
)
