"""How much a DNN minds an error at each frequency: sensitivity profiles, and their estimation from gradients."""
