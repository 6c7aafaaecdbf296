"""One gradient step, fast: on autograd, written out for dense layers, or captured on a GPU."""
