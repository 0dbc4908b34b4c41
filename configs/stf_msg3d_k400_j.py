_base_ = [
    '_base_/models/stf_openpose.py',
    '_base_/data/k400.py',
    '_base_/schedules/stf_65e_15e.py',
    '_base_/default_runtime.py',
]
