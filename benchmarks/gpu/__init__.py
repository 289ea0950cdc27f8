"""The parts of `python -m benchmarks.cuda`: ceilings of the device, contenders, the table."""
