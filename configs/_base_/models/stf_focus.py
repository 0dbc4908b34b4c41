# The member that learns with divergence, coherence and adjacency.
_base_ = './msg3d.py'

model = dict(
    backbone=dict(type='STFGCN', stf_stages=(1, 2, 3, 4, 5, 6)),
    cls_head=dict(
        loss_divergence=dict(type='STFDivergenceLoss', loss_weight=0.1),
        loss_coherence=dict(type='STFCoherenceLoss', loss_weight=0.1),
        loss_adjacency=dict(type='STFAdjacencyLoss', loss_weight=0.01)))
