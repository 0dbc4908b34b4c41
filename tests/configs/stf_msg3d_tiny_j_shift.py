# Data shift, for tests: stf_msg3d_tiny_j frozen, its last layers trained on.
_base_ = [
    '../../configs/_base_/models/stf_kinect20.py',
    '../../configs/_base_/data/ui_prmd_tiny.py',
    './stf_tiny_1e.py',
    '../../configs/_base_/default_runtime.py',
]

model = dict(
    shared=dict(
        backbone=dict(base_channels=6),
        frozen_backbone=True,
        cls_head=dict(num_classes=10, in_channels=24),
    ),
    # What is frozen cannot learn where to look.
    members=[dict(name='focus'), dict(name='explore')],
)
train_dataloader = dict(batch_size=8)
load_from = 'work_dirs/stf_msg3d_tiny_j/epoch_3.pth'
