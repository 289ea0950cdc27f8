"""The target `triton_cuda`: graphs become Triton kernels that we write, replayed as one CUDA graph.

Importing this costs nothing: torch and triton are loaded when something runs.
"""

from backends.triton_cuda.target import TARGET

__all__ = ["TARGET"]
