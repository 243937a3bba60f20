"""Fuzzing: inputs that nobody would write, made from seeds, and the answers to them checked.

Every input has a number: ``(kind, seed, number)`` makes the same bytes again, on any machine with the same Pillow.
Inputs are tried in a process of their own, so that one that crashes it, takes too much memory or never ends is found
like one that raises what it may not::

    python -m tests.fuzz --seconds 3600        # all kinds in turn; exit status 1 if anything was found
    python -m tests.fuzz --kind guard --seed 7 --cases 1000
    python -m tests.fuzz --kind guard --replay fuzz-findings/guard-7-12.jpg

``tests/fuzz/test_fuzz.py`` tries a fixed number of inputs of each kind, and those in ``tests/fuzz/corpus`` that were
found to fail once: an input that fails is put there, into the folder of its kind, together with the fix.

==============  =====================================================================================================
kinds.py        which kinds there are; a new file format gets a line there
runner.py       starts worker.py, watches it, and collects what it says
shrink.py       makes a failing input smaller
jpeg_seeds.py   JPEG files to begin with; jpeg_pieces.py takes them apart; jpeg_damage.py and jpeg_moves.py change them
answers.py      what is to be true of a JPEG file, whatever is in it
guard.py        the same with arrays that end, or begin, at memory that may not be touched
coverage.py     inputs that libFuzzer (atheris) finds by the lines of Python that they reach
documents.py    tables, profiles, networks, recipes and manifests; json_damage.py changes their JSON
models.py       index and network of a receiver
pictures.py     images to be encoded, and masks
==============  =====================================================================================================
"""
