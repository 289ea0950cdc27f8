"""How fast the machine multiplies and adds float32, measured: the denominator of "percent of peak".

A small C program keeps enough independent fused multiply-adds in flight on every thread; it is
compiled with the system's compiler when the benchmark runs. Out: GFLOP/s, or None and why.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = r"""
#include <omp.h>
#include <stdio.h>
typedef float vec __attribute__((vector_size(64)));
#define LANES 16
#define CHAINS 14
int main(int argc, char **argv) {
  const long rounds = 20000000;
  double best = 1e9;
  float kept = 0;
  for (int attempt = 0; attempt < 5; attempt++) {
    double began = omp_get_wtime();
    int threads = 1;
#pragma omp parallel reduction(+ : kept)
    {
      threads = omp_get_num_threads();
      vec x, y, sum[CHAINS];
      for (int j = 0; j < LANES; j++) { x[j] = 0.999999f; y[j] = 1e-6f * (argc + j); }
      for (int i = 0; i < CHAINS; i++) sum[i] = y * (float)i;
      for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 14
        for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * x + y;
      }
      for (int i = 0; i < CHAINS; i++) for (int j = 0; j < LANES; j++) kept += sum[i][j];
    }
    double taken = (omp_get_wtime() - began) / threads;
    if (taken < best) best = taken;
  }
  printf("%.3f %g\n", 2.0 * LANES * CHAINS * rounds / best / 1e9, kept);
}
"""


def peak_gflops(folder: Path, threads: int) -> tuple[float | None, str]:
    """GFLOP/s of `threads` threads together; None and the reason where it cannot be measured."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None, "no C compiler here"
    source, program = folder / "peak.c", folder / "peak"
    source.write_text(SOURCE)
    flags = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffp-contract=fast", "-fopenmp"]
    command = [compiler, *flags, str(source), "-o", str(program)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        return None, made.stderr.strip().splitlines()[-1]
    done = subprocess.run(
        [str(program)],
        env={"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[0]), ""
