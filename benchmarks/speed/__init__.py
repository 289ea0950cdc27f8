"""The parts of `python -m benchmarks.cpu`: workloads, our contender, processes, peak, report."""
