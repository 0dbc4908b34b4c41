# Control: two `focus` members, averaged. Both start from the weights of one
# baseline, as the members of STF do, with STF modules of their own.
_base_ = './stf_msg3d_tiny_j_focus.py'

model = dict(_delete_=True, type='STFEnsemble', shared={{_base_.model}}, members=[dict(), dict()])
