"""How good receivers are: test sets, measures, other receivers, statistics, figures."""
