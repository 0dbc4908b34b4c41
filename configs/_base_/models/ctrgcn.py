# CTR-GCN. The head can show its focus, too.
model = dict(
    type='STFRecognizer',
    backbone=dict(
        type='CTRGCNBackbone',
        graph_cfg=dict(layout='nturgb+d', mode='spatial'),
        in_channels=4,  # x, y, z and visibility
        base_channels=64,
        num_person=2,
    ),
    cls_head=dict(type='STFHead', num_classes=60, in_channels=256),
)
