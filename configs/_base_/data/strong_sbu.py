# Clips of two persons with 15 joints each: 24 frames, augmented.
_base_ = './strong.py'

_prepare = [dict(type='PrepareSkeleton', layout='sbu')]
_augment = [
    dict(type='RandomSkeletonRotation', angle=0.5, tilt=0.1),
    dict(type='RandomSkeletonScale', ratio=0.1),
    dict(type='RandomJointErasing', joints=0.5, frames=(0.3, 1.0), p=0.5),
]
_stream = [dict(type='SkeletonStream', layout='sbu')]
_pack = [
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
_sample = dict(type='UniformSampleFrames', clip_len=24)
train_pipeline = [*_prepare, *_augment, *_stream, _sample, *_pack]
test_pipeline = [*_prepare, *_stream, dict(**_sample, test_mode=True), *_pack]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
