"""Types of arrays: dtypes checked, shapes documented.

A function that takes leading batch axes writes them as `…` in its docstring.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]  # any shape
Floats32 = NDArray[np.float32]  # any shape
AnyFloats = NDArray[np.floating[Any]]  # any shape, 32 or 64 bits
Points = NDArray[np.floating[Any]]  # (68, 2) landmarks, pixels
Mask = NDArray[np.bool_]  # (H, W), or a flag for each row
