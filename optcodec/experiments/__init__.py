"""What measurements of many images share: threads, runs that can continue, curves and their distance, intervals."""
