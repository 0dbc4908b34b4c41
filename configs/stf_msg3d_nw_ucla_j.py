_base_ = [
    '_base_/models/stf_kinect20.py',
    '_base_/data/nw_ucla.py',
    '_base_/schedules/stf_40e_15e.py',
    '_base_/default_runtime.py',
]

model = dict(shared=dict(cls_head=dict(num_classes=10)))
