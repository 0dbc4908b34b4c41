# ST-GCN for the comparison; stf_stages=() makes it MMAction2's own.
model = dict(
    type='STFRecognizer',
    backbone=dict(
        type='STFSTGCN',
        graph_cfg=dict(layout='kinect20', mode='stgcn_spatial'),
        stf_stages=(),
        in_channels=4,  # x, y, z and visibility
        base_channels=16,
        num_person=1,
    ),
    cls_head=dict(type='STFHead', num_classes=27, in_channels=64),
)
