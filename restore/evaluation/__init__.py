"""Evaluation of receivers: test sets, quality measures, receivers to compare with, statistics, cost and figures."""
