_base_ = [
    '_base_/models/small_stgcn.py',
    '_base_/data/utd_mhad.py',
    '_base_/schedules/small_20e.py',
    '_base_/default_runtime.py',
]
