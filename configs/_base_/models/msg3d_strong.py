# MS-G3D for small data sets: 0.12 M parameters.
_base_ = './msg3d.py'

model = dict(
    backbone=dict(
        graph_cfg=dict(layout='kinect20'),
        base_channels=12,
        num_gcn_scales=3,
        num_g3d_scales=2,
        num_person=1,
    ),
    cls_head=dict(in_channels=48),
)
