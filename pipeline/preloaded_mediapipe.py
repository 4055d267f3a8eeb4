"""MediaPipe's networks, imported once by the server that worker processes fork from."""

from importlib import import_module

from pipeline.forking import uncollected
from pipeline.native import quiet

with quiet(), uncollected():
    for name in ("face_detection", "face_mesh", "selfie_segmentation"):
        import_module(f"mediapipe.python.solutions.{name}")
