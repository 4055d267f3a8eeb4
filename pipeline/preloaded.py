"""Other people's heavy libraries, imported once by the server that worker processes fork from."""

from importlib import import_module

from pipeline.forking import uncollected

with uncollected():
    for name in ("cv2", "numpy.ma", "pyarrow.parquet", "pydantic.main", "threadpoolctl"):
        import_module(name)
