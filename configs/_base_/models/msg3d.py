# MS-G3D, the baseline. The head can show its focus, too.
model = dict(
    type='STFRecognizer',
    backbone=dict(
        type='MSG3DBackbone',
        graph_cfg=dict(layout='nturgb+d', mode='binary_adj'),
        in_channels=4,  # x, y, z and visibility
        base_channels=96,
        num_gcn_scales=13,
        num_g3d_scales=6,
        num_person=2,
    ),
    cls_head=dict(type='STFHead', num_classes=60, in_channels=384),
)
