_base_ = [
    '_base_/models/stf_kinect20.py',
    '_base_/data/ui_prmd_tiny.py',
    '_base_/schedules/stf_demo.py',
    '_base_/default_runtime.py',
]

model = dict(
    shared=dict(backbone=dict(base_channels=12), cls_head=dict(num_classes=10, in_channels=48))
)
train_dataloader = dict(batch_size=8)
default_hooks = dict(
    # At the end of the baseline phase, and at the very end.
    checkpoint=dict(interval=40, save_best=None),
    logger=dict(interval=12),
)
