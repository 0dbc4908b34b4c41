_base_ = './ntu.py'

ann_file = 'data/skeleton/ntu120_3d.pkl'
train_dataloader = dict(dataset=dict(ann_file=ann_file, split='xset_train'))
val_dataloader = test_dataloader = dict(dataset=dict(ann_file=ann_file, split='xset_val'))
