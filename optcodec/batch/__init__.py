"""Many pictures: where they come from and go to, what is done to each of them, and the manifest of what was done.

The job on one picture (`optcodec.batch.job`) is a function of values that can be pickled. What runs it, threads of this
process (`optcodec.batch.run`) or the workers of a Ray cluster (`optcodec.batch.cluster`), knows no manifest; the
manifest, the names of outputs and the lock know neither of them. On a cluster each worker does a part of the data set
(`optcodec.batch.parts`) as one machine does all of it.
"""
