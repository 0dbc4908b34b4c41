# Sizes of a small network for small data sets and for CPUs.
kinect20 = dict(
    graph_cfg=dict(layout='kinect20'),
    base_channels=24,
    num_gcn_scales=8,
    num_g3d_scales=4,
    num_person=1,
)
