# Data shift: stf_msg3d_utd_mhad_j frozen, and new last layers.
_base_ = [
    '../_base_/models/stf_kinect20.py',
    '../_base_/data/nw_ucla.py',
    '../_base_/schedules/msg3d_40e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    shared=dict(frozen_backbone=True, cls_head=dict(num_classes=10)),
    # What is frozen cannot learn where to look.
    members=[dict(name='focus'), dict(name='explore')],
)
load_from = 'work_dirs/stf_msg3d_utd_mhad_j/epoch_55.pth'
