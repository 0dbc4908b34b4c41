_base_ = [
    '_base_/models/msg3d.py',
    '_base_/data/ntu60_xview.py',
    '_base_/schedules/msg3d_50e.py',
    '_base_/default_runtime.py',
]
