_base_ = ['./stf.py', './openpose.py']

model = dict(shared=dict(backbone={{_base_.openpose}}, cls_head=dict(num_classes=400)))
