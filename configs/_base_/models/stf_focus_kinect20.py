_base_ = ['./stf_focus.py', './kinect20.py']

model = dict(backbone={{_base_.kinect20}}, cls_head=dict(in_channels=96))
