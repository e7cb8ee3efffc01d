"""What is promised to the bit holds under more than one instruction set of this processor.

The sets are chosen by environment variables that the libraries read as they start, so each runs the
tests of kernels, attention and speculation in a process of its own. MKL heeds its own on Intel's
processors only; FBGEMM has no such variable. Our own kernels are compiled for several processors
by their own tests.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parents[1]
MODULES = (
    *("nn/test_attention", "nn/test_autotune", "nn/test_attention_backends", "nn/test_cuda_graphs"),
    *("nn/test_linear", "nn/test_transformer", "decoding/test_decode"),
    *("speculative/test_forced", "speculative/test_speculator", "speculative/test_verify"),
    "constrained/test_guided_decoder",
)

# By torch's name for what a processor has: what else it can run, for torch, oneDNN and MKL.
OTHERS = {
    "AVX512": [("avx2", "AVX2", "AVX2"), ("avx512", "AVX512_CORE", "AVX512")],
    "AVX2": [("default", "SSE41", "SSE4_2")],
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("torch_set", "onednn_set", "mkl_set"), OTHERS.get(torch.backends.cpu.get_cpu_capability(), [])
)
def test_kernels_attention_and_speculation_hold_under_another_instruction_set(
    torch_set: str, onednn_set: str, mkl_set: str
) -> None:
    environment = {
        **os.environ,
        "ATEN_CPU_CAPABILITY": torch_set,
        "ONEDNN_MAX_CPU_ISA": onednn_set,
        "MKL_ENABLE_INSTRUCTIONS": mkl_set,
    }
    files = [str(TESTS / f"{module}.py") for module in MODULES]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *files],
        env=environment, capture_output=True, text=True, cwd=TESTS.parents[1],
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    assert " passed" in found.stdout
