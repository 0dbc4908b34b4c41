_base_ = './kinect20.py'

ann_file = 'data/skeleton/utd_mhad.pkl'
train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(ann_file=ann_file))
