_base_ = [
    '_base_/models/msg3d_openpose.py',
    '_base_/data/k400.py',
    '_base_/schedules/msg3d_65e.py',
    '_base_/default_runtime.py',
]
