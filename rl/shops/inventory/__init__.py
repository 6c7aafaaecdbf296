"""The simulated shop that orders stock: a test bed whose optimum is known, and the logs it leaves."""
