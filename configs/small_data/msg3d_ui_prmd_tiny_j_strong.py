# The strong recipe on the bundled clips; docs/evidence.md trains it on two people's.
_base_ = [
    '../_base_/models/msg3d_kinect20.py',
    '../_base_/data/kinect20_strong.py',
    '../_base_/schedules/strong_20e.py',
    '../_base_/default_runtime.py',
]

ann_file = 'tools/demo_data/ui_prmd_tiny.pkl'
train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(ann_file=ann_file))
model = dict(
    backbone=dict(base_channels=12, num_gcn_scales=3, num_g3d_scales=2),
    cls_head=dict(num_classes=10, in_channels=48),
)
