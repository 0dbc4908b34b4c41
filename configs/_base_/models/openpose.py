# Kinetics-Skeleton: 18 joints in 2D with a score, 8 scales each.
openpose = dict(
    graph_cfg=dict(layout='openpose'), in_channels=3, num_gcn_scales=8, num_g3d_scales=8
)
