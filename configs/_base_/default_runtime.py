_base_ = 'mmaction::_base_/default_runtime.py'

custom_imports = dict(imports=['stf_mmaction'], allow_failed_imports=False)
