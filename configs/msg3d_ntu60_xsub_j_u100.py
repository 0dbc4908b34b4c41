_base_ = [
    '_base_/models/msg3d.py',
    '_base_/data/ntu60_xsub_u100.py',
    '_base_/schedules/cosine_16e.py',
    '_base_/default_runtime.py',
]
