_base_ = [
    '_base_/models/msg3d_kinect20.py',
    '_base_/data/nw_ucla.py',
    '_base_/schedules/msg3d_40e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=10))
