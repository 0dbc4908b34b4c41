# MMAction2's practice: 100 uniform frames, each clip five times an epoch,
# ten samples of a clip in the test.
_base_ = './ntu60_xsub.py'

_prepare = [
    dict(type='SelectPersons', num_person=2),
    dict(type='PrepareSkeleton', layout='nturgb+d'),
    dict(type='SkeletonStream', layout='nturgb+d'),
]
_pack = [
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
train_pipeline = [*_prepare, dict(type='UniformSampleFrames', clip_len=100), *_pack]
val_pipeline = [*_prepare, dict(type='UniformSampleFrames', clip_len=100, test_mode=True), *_pack]
test_pipeline = [
    *_prepare,
    dict(type='UniformSampleFrames', clip_len=100, num_clips=10, test_mode=True),
    *_pack,
]
train_dataloader = dict(
    batch_size=16,  # on each of 8 GPUs
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=5,
        dataset=dict(
            type='SkeletonDataset',
            ann_file={{_base_.ann_file}},
            split='xsub_train',
            pipeline=train_pipeline,
        ),
    ),
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(batch_size=2, dataset=dict(pipeline=test_pipeline))
