_base_ = [
    '_base_/models/msg3d.py',
    '_base_/data/ntu120_xset.py',
    '_base_/schedules/msg3d_60e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=120))
