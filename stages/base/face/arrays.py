"""Types of arrays: dtypes checked, shapes documented.

A function that takes leading batch axes writes them as `…` in its docstring.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]  # any shape
Floats32 = NDArray[np.float32]  # any shape
AnyFloats = NDArray[np.floating[Any]]  # any shape, 32 or 64 bits
Points = NDArray[np.float64]  # (68, 2) landmarks, pixels
Head = NDArray[np.float64]  # (68, 3) landmarks in the head's frame, face heights
Rotation = NDArray[np.float64]  # (3, 3), acts on column vectors
Translation = NDArray[np.float64]  # (3,), face heights
Mask = NDArray[np.bool_]  # (H, W), or a flag for each row
Labels = NDArray[np.uint8]  # (H, W) codes of face parsing
