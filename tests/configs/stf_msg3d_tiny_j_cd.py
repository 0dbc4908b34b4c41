# Ablation: coherence and divergence.
_base_ = './stf_msg3d_tiny_j_focus.py'

model = dict(cls_head=dict(loss_adjacency=None))
