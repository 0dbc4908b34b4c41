# Clips of one person with the 20 joints of Kinect v1, 64 frames of each.
_prepare = [
    dict(type='SelectPersons', num_person=1),
    dict(type='PrepareSkeleton', layout='kinect20'),
    dict(type='SkeletonStream', layout='kinect20'),
]
_pack = [
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
train_pipeline = [*_prepare, dict(type='UniformSampleFrames', clip_len=64), *_pack]
test_pipeline = [*_prepare, dict(type='UniformSampleFrames', clip_len=64, test_mode=True), *_pack]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='SkeletonDataset', pipeline=train_pipeline, split='train'),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', pipeline=test_pipeline, split='val', test_mode=True),
)
test_dataloader = val_dataloader
