# Clips of one person with the 20 joints of Kinect v1: 24 frames, augmented.
_prepare = [dict(type='PrepareSkeleton', layout='kinect20')]
_augment = [
    dict(type='RandomSkeletonRotation', angle=0.5, tilt=0.1),
    dict(type='RandomSkeletonScale', ratio=0.1),
    dict(type='RandomJointErasing', joints=0.5, frames=(0.3, 1.0), p=0.5),
]
_stream = [dict(type='SkeletonStream', layout='kinect20')]
_pack = [
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
_sample = [dict(type='UniformSampleFrames', clip_len=24)]
train_pipeline = [*_prepare, *_augment, *_stream, *_sample, *_pack]
test_pipeline = [
    *_prepare,
    *_stream,
    dict(type='UniformSampleFrames', clip_len=24, test_mode=True),
    *_pack,
]

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
