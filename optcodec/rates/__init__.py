"""Rate versus quality of pictures, for several encoders, and for what receivers make of their files.

These are the names that `restore` and the benchmarks use.
"""

from __future__ import annotations

from optcodec.rates.classify import NETWORK_MEASURES, judge_by_network
from optcodec.rates.experiment import DECODED, Experiment, Judge, Original, Part, Reader, decoded, judge_by
from optcodec.rates.measures import FITTED_MEASURES, MEASURES, Measure, MeasureFunction, load_measures
from optcodec.rates.rates import Rate
from optcodec.rates.result import result_of
from optcodec.rates.rows import Curve, Failed, Row
from optcodec.rates.run import measure_rates
from optcodec.rates.senders import OptcodecSender, PeerSender, Sender, peer_sender

__all__ = [
    "DECODED",
    "FITTED_MEASURES",
    "MEASURES",
    "NETWORK_MEASURES",
    "Curve",
    "Experiment",
    "Failed",
    "Judge",
    "Measure",
    "MeasureFunction",
    "OptcodecSender",
    "Original",
    "Part",
    "PeerSender",
    "Rate",
    "Reader",
    "Row",
    "Sender",
    "decoded",
    "judge_by",
    "judge_by_network",
    "load_measures",
    "measure_rates",
    "peer_sender",
    "result_of",
]
