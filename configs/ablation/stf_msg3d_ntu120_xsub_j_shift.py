# Data shift: stf_msg3d_ntu60_xsub_j frozen, and new last layers.
_base_ = [
    '../_base_/models/stf.py',
    '../_base_/data/ntu120_xsub.py',
    '../_base_/schedules/msg3d_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    shared=dict(frozen_backbone=True, cls_head=dict(num_classes=120)),
    # What is frozen cannot learn where to look.
    members=[dict(name='focus'), dict(name='explore')],
)
load_from = 'work_dirs/stf_msg3d_ntu60_xsub_j/epoch_65.pth'
