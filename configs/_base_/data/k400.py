# Kinetics-Skeleton: OpenPose's 18 joints, the two surest persons. The score
# plays the part of the visibility.
_base_ = './ntu.py'

ann_file = 'data/skeleton/k400_openpose.pkl'
test_pipeline = pipeline = [
    dict(step, layout='openpose') if 'layout' in step else step for step in _base_.pipeline
]
train_dataloader = dict(dataset=dict(ann_file=ann_file, split='train', pipeline=pipeline))
val_dataloader = test_dataloader = dict(
    dataset=dict(ann_file=ann_file, split='val', pipeline=pipeline)
)
