_base_ = ['./stf.py', './kinect20.py']

model = dict(shared=dict(backbone={{_base_.kinect20}}, cls_head=dict(in_channels=96)))
