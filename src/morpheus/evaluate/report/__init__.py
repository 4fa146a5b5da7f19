"""The report of an evaluation: numbers, figures and words in one folder."""

from morpheus.evaluate.report.write import report_files, write_report

__all__ = ["report_files", "write_report"]
