# Kinetics-Skeleton: OpenPose's 18 joints, the two surest persons. The score
# plays the part of the visibility.
_base_ = './ntu.py'

ann_file = 'data/skeleton/k400_openpose.pkl'
test_pipeline = pipeline = [
    dict(type='SelectPersons', num_person=2),
    dict(type='PrepareSkeleton', layout='openpose'),
    dict(type='SkeletonStream', layout='openpose'),
    dict(type='PadTo', length=300),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
train_dataloader = dict(dataset=dict(ann_file=ann_file, split='train', pipeline=pipeline))
val_dataloader = test_dataloader = dict(
    dataset=dict(ann_file=ann_file, split='val', pipeline=pipeline)
)
