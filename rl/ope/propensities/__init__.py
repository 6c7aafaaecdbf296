"""The logging policy's probabilities: logged or modelled, calibrated, cross-fitted, doubted."""
