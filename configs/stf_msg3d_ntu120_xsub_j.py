_base_ = [
    '_base_/models/stf.py',
    '_base_/data/ntu120_xsub.py',
    '_base_/schedules/stf_60e_15e.py',
    '_base_/default_runtime.py',
]

model = dict(shared=dict(cls_head=dict(num_classes=120)))
