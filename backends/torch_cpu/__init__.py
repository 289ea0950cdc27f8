"""CPU target: plans written as readable Python over torch tensors, without torch.autograd."""

from __future__ import annotations

from backends.torch_cpu.target import TorchCpu
from gendsl.threads import spin_briefly

spin_briefly()  # PyTorch is loaded when something is compiled
TARGET = TorchCpu()
