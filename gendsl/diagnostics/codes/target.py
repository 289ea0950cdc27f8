"""Targets: E09xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E0901",
        "this target cannot run here",
        "A target turns a checked program into code for one kind of device: `torch_cpu` for the "
        "processor, `triton_cuda` for an NVIDIA card. What it needs (a Python package, a device, a "
        "driver) is missing, and the message says which. Install it, or choose the other target "
        "with `--cpu` or `--cuda`; `gendsl doctor` lists what is there. Checking a program needs "
        "no target at all.",
        "",
        "whether a target can run depends on the machine, not on the program",
    ),
    Entry(
        "E0902",
        "this target has no code for an operation",
        "Every primitive operation declares what each target does with it, and this one declares "
        "that the target lacks it, with the reason that the message gives. The program is correct "
        "and runs on a target that has the operation; otherwise write the computation with other "
        "operations.",
        "",
        "the targets that come with gendsl have every operation that a program can express",
    ),
    Entry(
        "E0903",
        "this does not fit into the device's memory",
        "The plan of a step says beforehand what it takes: parameters with their optimizer state, "
        "the batch, and one arena for everything in between. The device has less than that free, "
        "so nothing was run. Take a smaller batch (the message names one that fits), or end other "
        "programs that use the device. No tensor of a plan may have 2,147,483,648 entries or more "
        "either: kernels number them in 32 bits.",
        "",
        "whether a plan fits depends on the machine, not on the program",
    ),
    Entry(
        "E0904",
        "this target has no such precision",
        "The program (`precision` in `train:`) or the command line (`--precision`) asks for "
        "products of less accuracy than float32, and this target computes in float32 only. It "
        "does not pretend: run on a target that has the precision, or ask for `float32`.",
        "",
        "the program is right; another target runs it",
    ),
    Entry(
        "E0905",
        "a kernel needs more than this device has",
        "Each program of a kernel keeps its tiles in registers and shared memory, and devices have "
        "different amounts of it. A kernel of this step takes more than the device has, so nothing "
        "was run. Kernels are compiled ahead of time for compute capability 9.0 and fit there.",
        "",
        "how much a kernel may take depends on the machine, not on the program",
    ),
)
