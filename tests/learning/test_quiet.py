"""Keras beside PyTorch."""

import subprocess
import sys

BOTH = """
from particlelab.learning.quiet import load_keras
keras = load_keras()
keras.Sequential([keras.layers.Dense(1)])(keras.ops.zeros((2, 3)))
import torch
torch.optim.Adam([torch.nn.Parameter(torch.zeros(3))])
print("both")
"""


THEIRS = """
import keras
from particlelab.learning.quiet import load_keras
assert load_keras() is keras
print("theirs")
"""


def test_keras_first_and_pytorch_after_it_work_in_one_process():
    """Without care the process aborts: both carry LLVM."""
    done = subprocess.run([sys.executable, "-c", BOTH], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "both" and done.stderr == ""


def test_keras_that_a_user_has_loaded_is_used():
    """Triton after TensorFlow would end the process."""
    done = subprocess.run([sys.executable, "-c", THEIRS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "theirs"
