# Sizes of a network of 0.12 M parameters, for small data sets.
strong = dict(
    graph_cfg=dict(layout='kinect20'),
    base_channels=12,
    num_gcn_scales=3,
    num_g3d_scales=2,
    num_person=1,
)
