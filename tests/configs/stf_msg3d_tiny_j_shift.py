# Data shift, for tests: stf_msg3d_tiny_j frozen, its last layers trained on.
_base_ = [
    '../../configs/_base_/models/stf_strong.py',
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
load_from = 'work_dirs/stf_msg3d_tiny_j/epoch_3.pth'
