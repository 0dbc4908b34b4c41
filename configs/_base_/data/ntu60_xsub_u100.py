# MMAction2's practice: 100 uniform frames, each clip five times an epoch,
# ten samples of a clip in the test.
_base_ = './ntu60_xsub.py'

sample = dict(type='UniformSampleFrames', clip_len=100)
val_sample = dict(sample, test_mode=True)
test_sample = dict(sample, num_clips=10, test_mode=True)
train_pipeline, val_pipeline, test_pipeline = (
    [in_place if step.type == 'PadTo' else step for step in _base_.pipeline]
    for in_place in (sample, val_sample, test_sample)
)
train_dataloader = dict(
    batch_size=16,  # on each of 8 GPUs
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=5,
        dataset=dict(
            type='SkeletonDataset',
            ann_file=_base_.ann_file,
            split='xsub_train',
            pipeline=train_pipeline,
        ),
    ),
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(batch_size=2, dataset=dict(pipeline=test_pipeline))
