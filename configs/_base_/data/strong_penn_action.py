# One person with the 13 joints of Penn Action, in pixels.
_base_ = './strong.py'

prepare = dict(type='PrepareSkeleton', layout='penn_action')
stream = dict(type='SkeletonStream', layout='penn_action')
gcn_input = [_base_.decode, dict(type='FormatGCNInput', num_person=1), _base_.pack]
train_pipeline = [prepare, *_base_.augment, stream, _base_.sample, *gcn_input]
test_pipeline = [prepare, stream, _base_.test_sample, *gcn_input]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
