_base_ = './stf_msg3d_ntu60_xsub_j.py'

train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(stream='b'))
