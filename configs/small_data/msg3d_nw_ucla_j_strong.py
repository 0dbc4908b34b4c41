_base_ = [
    '../_base_/models/msg3d_strong.py',
    '../_base_/data/strong_kinect20.py',
    '../_base_/schedules/strong_40e.py',
    '../_base_/default_runtime.py',
]

ann_file = 'data/skeleton/nw_ucla.pkl'
train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(ann_file=ann_file))
model = dict(cls_head=dict(num_classes=10))
