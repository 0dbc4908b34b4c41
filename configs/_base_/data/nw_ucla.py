_base_ = './kinect20.py'

ann_file = 'data/skeleton/nw_ucla.pkl'
train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(ann_file=ann_file))
