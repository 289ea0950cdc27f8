"""The peers of the speed comparison: plain training scripts, none of which imports gendsl.

Each is a process that loads the same initial weights, batches and noise from one file, can show its
loss curve on them, and takes turns at being timed (`turns`).
"""
