_base_ = 'mmaction::_base_/default_runtime.py'

custom_imports = dict(imports=['stf_mmaction'], allow_failed_imports=False)

# On CUDA: 'high' lets matrix products in float32 use TF32 tensor cores, 'highest' does not.
float32_matmul_precision = 'high'
# Clips have one shape, so cuDNN may search for its fastest convolutions once.
env_cfg = dict(cudnn_benchmark=True)
# A training step on a GPU is recorded as a CUDA graph and replayed: docs/gpus.md.
cuda_graph = True
