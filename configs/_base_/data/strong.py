# The strong recipe: 24 frames, augmented. strong_<layout>.py puts its steps in order.
augment = [
    dict(type='RandomSkeletonRotation', angle=0.5, tilt=0.1),
    dict(type='RandomSkeletonScale', ratio=0.1),
    dict(type='RandomJointErasing', joints=0.5, frames=(0.3, 1.0), p=0.5),
]
sample = dict(type='UniformSampleFrames', clip_len=24)
test_sample = dict(type='UniformSampleFrames', clip_len=24, test_mode=True)
decode = dict(type='PoseDecode')
pack = dict(type='PackActionInputs', meta_keys=('frame_dir',))

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='SkeletonDataset', split='train'),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', split='val', test_mode=True),
)
test_dataloader = val_dataloader
