"""Other people's heavy libraries, imported once by the server that worker processes fork from."""

from importlib import import_module

from pipeline.native import quiet

_HEAVY = (
    "av",
    "cv2",
    "mediapipe.python.solutions.face_detection",
    "mediapipe.python.solutions.face_mesh",
    "mediapipe.python.solutions.selfie_segmentation",
    "numpy",
    "psutil",
    "pyarrow.parquet",
    "pydantic.main",
    "threadpoolctl",
)

with quiet():
    for name in _HEAVY:
        import_module(name)
