# A hand with the 22 joints of SHREC'17.
_base_ = './strong.py'

prepare = dict(type='PrepareSkeleton', layout='shrec_hand')
stream = dict(type='SkeletonStream', layout='shrec_hand')
gcn_input = [_base_.decode, dict(type='FormatGCNInput', num_person=1), _base_.pack]
train_pipeline = [prepare, *_base_.augment, stream, _base_.sample, *gcn_input]
test_pipeline = [prepare, stream, _base_.test_sample, *gcn_input]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
