_base_ = './stf_msg3d_nw_ucla_j.py'

train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(stream='jm'))
