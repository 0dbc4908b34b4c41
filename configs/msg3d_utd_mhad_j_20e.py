# As the other networks of the comparison.
_base_ = [
    '_base_/models/msg3d_kinect20.py',
    '_base_/data/utd_mhad.py',
    '_base_/schedules/small_20e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=27))
