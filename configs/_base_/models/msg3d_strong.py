_base_ = ['./msg3d.py', './strong.py']

model = dict(backbone={{_base_.strong}}, cls_head=dict(in_channels=48))
