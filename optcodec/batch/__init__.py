"""Many pictures: where they come from and go to, what is done to each of them, and the manifest of what was done.

The job on one picture (`optcodec.batch.job`) is a function of values that can be pickled. What runs it, threads of this
process so far (`optcodec.batch.run`), knows no manifest; the manifest, the names of outputs and the lock know
nothing of threads.
"""
