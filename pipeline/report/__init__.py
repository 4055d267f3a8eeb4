"""What users read of a project: the pandas view, and the generated pages of docs/."""

from pipeline.report.project import Project

__all__ = ["Project"]
