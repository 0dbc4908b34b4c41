# Ablation: coherence alone.
_base_ = './stf_msg3d_tiny_j_cd.py'

model = dict(cls_head=dict(loss_divergence=None))
