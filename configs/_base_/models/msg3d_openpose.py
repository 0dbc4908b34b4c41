_base_ = ['./msg3d.py', './openpose.py']

model = dict(backbone={{_base_.openpose}}, cls_head=dict(num_classes=400))
