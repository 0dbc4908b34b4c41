_base_ = ['./stf.py', './strong.py']

model = dict(shared=dict(backbone={{_base_.strong}}, cls_head=dict(in_channels=48)))
