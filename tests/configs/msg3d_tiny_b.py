_base_ = './msg3d_tiny_j.py'

train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(stream='b'))
