_base_ = './stf_msg3d_demo_j.py'

train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(stream='b'))
